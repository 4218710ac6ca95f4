import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.faults import stand as stands
from tests.faults.rows import Row, rows_of
from tests.faults.stand import Stand

OpenStand = Callable[..., AbstractAsyncContextManager[Stand]]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption(
        "--all-rows", action="store_true", help="also run the rows that take long, as `make faults` does"
    )
    group.addoption("--rows-file", type=Path, help="write the results of the rows to this file, as JSON")
    group.addoption("--fault-seeds", default="1", help="comma-separated seeds; each row runs once with each seed")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: a row that takes too long for `make test`")


def pytest_sessionfinish(session: pytest.Session) -> None:
    rows = [asdict(row) for row in rows_of(session.config)]
    file = session.config.getoption("--rows-file")
    # Only a pytest-xdist worker process has this; pytest-xdist sends its content to the main process.
    worker_output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if worker_output is not None:
        worker_output["rows"] = rows
    elif file is not None:
        file.write_text(json.dumps(rows))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    rows_of(node.config).extend(Row(**row) for row in getattr(node, "workeroutput", {}).get("rows", ()))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "row" in metafunc.fixturenames:
        seeds = [int(seed) for seed in metafunc.config.getoption("--fault-seeds").split(",")]
        metafunc.parametrize("seed", seeds, ids=[f"seed {seed}" for seed in seeds])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--all-rows"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@pytest.fixture
def seed() -> int:
    return 1


@pytest.fixture
def row(request: pytest.FixtureRequest, seed: int) -> Iterator[Row]:
    """The results of this run of the row; its number is the one in the test's name, `test_row_NN_...`."""
    name = request.node.originalname
    found = re.match(r"test_row_(\d+)_(\w+)", name)
    assert found, f"{name}: the name of a test of the fault matrix must begin with test_row_NN_"
    row = Row(int(found[1]), found[2].replace("_", " "), seed)
    started = time.monotonic()
    failures = request.session.testsfailed
    yield row
    row.seconds = round(time.monotonic() - started, 1)
    row.passed = request.session.testsfailed == failures
    rows_of(request.config).append(row)


@pytest.fixture
def open_stand(tmp_path: Path, row: Row) -> OpenStand:
    """Open a stand with its own servers; accepts `members` and environment variables for its workers."""
    return partial(stands.open_stand, tmp_path, row)


@pytest_asyncio.fixture
async def stand(open_stand: OpenStand) -> AsyncIterator[Stand]:
    """A stand with its own Redis and its own one-member replica set."""
    async with open_stand() as stand:
        yield stand
