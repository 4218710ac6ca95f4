"""For the whole suite: a test that hangs ends, and one fails if what it logged contains a secret or a payload."""

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.security.scanner import scan
from tests.support.watchdog import HangingTests

# This file takes the longest, mostly waiting, and its folder comes late. It would delay the end of the suite.
_FIRST = Path(__file__).parent / "integration" / "test_embedded.py"


def pytest_configure(config: pytest.Config) -> None:
    """Handle SIGINT, as the processes under test do: a process in the background of a script ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Motor reads it when it is first imported, which some tests do before the worker would set it.
    os.environ.setdefault("MOTOR_MAX_WORKERS", "100")
    config.pluginmanager.register(HangingTests(config), "hanging-tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the file that takes the longest."""
    items.sort(key=lambda item: item.path != _FIRST)


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
