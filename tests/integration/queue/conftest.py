import pytest

from tests.redis_scripts.script_bench import ScriptBench


@pytest.fixture
def bench(script_bench: ScriptBench) -> ScriptBench:
    """The same as in tests/unit/queue, here on a real Redis."""
    return script_bench
