import pytest

from tests.redis_scripts.script_bench import ScriptBench


@pytest.fixture
def bench(script_bench: ScriptBench) -> ScriptBench:
    """The fixture of tests/unit/queue, on a real Redis."""
    return script_bench
