from pathlib import Path

import pytest

from tests.support.lua import needs_lua

# Where the fixtures `server` and `redis` are a simulated Redis.
_SIMULATED = {Path(__file__).parent / name for name in ("engine", "queue")}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests on a simulated Redis where it cannot run scripts, before their fixtures open event loops."""
    for item in items:
        if (
            item.path.parent in _SIMULATED
            and isinstance(item, pytest.Function)
            and {"server", "redis"} & set(item.fixturenames)
        ):
            item.add_marker(needs_lua)
