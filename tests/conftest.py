"""For the whole suite: a test that hangs ends, and one fails if what it logged contains a secret or a payload."""

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.security.scanner import scan
from tests.support.watchdog import HangingTests

# Where Linux keeps files in memory.
_MEMORY = Path("/dev/shm")  # noqa: S108 (each server makes a folder of its own)
# A run needs up to 5 GB: a MongoDB has a third of one, and each process of the tests starts several.
_LEAST_MEMORY_BYTES = 10 << 30
# These files take long, mostly waiting, and their folders come late. They would delay the end of the suite.
_FIRST = {Path(__file__).parent / name for name in ("integration/test_embedded.py", "unit/test_watchdog.py")}


def pytest_configure(config: pytest.Config) -> None:
    """Handle SIGINT, as the processes under test do: a process in the background of a script ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Motor reads it when it is first imported, which some tests do before the worker would set it.
    os.environ.setdefault("MOTOR_MAX_WORKERS", "100")
    config.pluginmanager.register(HangingTests(config), "hanging-tests")
    # How long an example takes depends on what else the machine does. A hang is ended as in any other test.
    settings.register_profile("any-machine", deadline=None)
    settings.load_profile("any-machine")
    _keep_data_of_servers_in_memory()


def _keep_data_of_servers_in_memory() -> None:
    """Let private servers have their temporary folders in memory, if there is plenty.

    To make a database takes half a second on a disk, nearly all of it waiting for one write after the other. A
    server that is killed leaves its files as on a disk. The files of the tests themselves stay where they are.
    """
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _LEAST_MEMORY_BYTES <= _available_memory():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
        os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)


def _available_memory() -> int:
    """Return the bytes of memory that are free, or could be."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) << 10


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave what is collected out of all garbage collections: a million objects that live to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files that take the longest."""
    items.sort(key=lambda item: item.path not in _FIRST)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Scan the test's output once its fixtures have ended, and with them the processes that they started."""
    report = yield
    if call.when != "teardown" or not isinstance(item, pytest.Function):
        return report
    folder = item.funcargs.get("tmp_path")
    leaks = scan(report.sections, folder if isinstance(folder, Path) else None)
    if leaks:
        report.outcome = "failed"
        report.longrepr = "\n".join([report.longreprtext, *map(str, leaks)]).strip()
    return report
