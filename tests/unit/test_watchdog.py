"""A run that hangs ends, and says where; shown by runs of pytest on small modules, with small limits."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFTEST = """
from tests.support import watchdog

watchdog.TEARDOWN_S = 2.0
watchdog.END_S = SECONDS


def pytest_configure(config):
    config.pluginmanager.register(watchdog.HangingTests(config), "hanging-tests")
"""
HANGING_FIXTURE = """
import threading
import pytest

@pytest.fixture
def server():
    yield
    wait_for_a_server_that_never_ends()

def wait_for_a_server_that_never_ends():
    threading.Event().wait()

def test_that_fails(server):
    assert False, "a failed test is not watched by pytest-timeout any more"

def test_after_it():
    pass
"""


def run_pytest(folder: Path, module: str, *options: str, end_s: float = 30) -> "subprocess.CompletedProcess[str]":
    (folder / "conftest.py").write_text(CONFTEST.replace("SECONDS", str(end_s)))
    (folder / "test_module.py").write_text(module)
    (folder / "pytest.ini").write_text("[pytest]\n")
    # The run within this one must not take itself for a process of this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(folder)],
        cwd=ROOT,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_failed_test_whose_fixture_hangs_ends_the_process_with_its_name_and_the_stacks(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, HANGING_FIXTURE, "--timeout", "1")
    assert run.returncode == 1
    assert "HANGS: " in run.stderr
    assert "test_module.py::test_that_fails\n" in run.stderr
    assert "wait_for_a_server_that_never_ends" in run.stderr


def test_the_other_tests_run_in_another_process(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, HANGING_FIXTURE, "--timeout", "1", "-n", "1")
    assert run.returncode == 1
    assert "crashed while running" in run.stdout
    assert "1 passed" in run.stdout
    assert "test_module.py::test_that_fails\n" in run.stderr


def test_tests_that_end_in_time_may_take_longer_together(tmp_path: Path) -> None:
    module = """
import time
import pytest

@pytest.mark.parametrize("number", range(10))
def test_quick(number):
    time.sleep(0.5)
"""
    run = run_pytest(tmp_path, module, "--timeout", "2")
    assert "10 passed" in run.stdout
    assert "HANGS" not in run.stderr


def test_a_run_that_outlasts_its_limit_names_the_tests_that_run(tmp_path: Path) -> None:
    module = "import threading\ndef test_long():\n    threading.Event().wait()\n"
    run = run_pytest(tmp_path, module, "--timeout", "50", "--session-timeout", "1", end_s=1)
    assert run.returncode == 1
    assert "HANGS: the whole run" in run.stderr
    assert "test_module.py::test_long\n" in run.stderr


def test_no_test_starts_after_the_limit(tmp_path: Path) -> None:
    module = "import time\ndef test_a():\n    time.sleep(0.09)\ndef test_b():\n    pass\n"
    run = run_pytest(tmp_path, module, "--timeout", "50", "--session-timeout", "0.01")
    assert "session-timeout" in run.stdout
    assert "1 passed" in run.stdout


def test_a_thread_that_a_test_has_left_behind_does_not_keep_the_process(tmp_path: Path) -> None:
    module = """
import threading

def test_that_leaves_a_thread():
    threading.Thread(target=left_behind).start()

def left_behind():
    threading.Event().wait()
"""
    run = run_pytest(tmp_path, module, "--timeout", "50")
    assert "HANGS: the end of the process" in run.stderr
    assert "left_behind" in run.stderr


def test_a_process_without_further_tests_waits_for_the_others(tmp_path: Path) -> None:
    module = """
import time
import pytest

@pytest.mark.parametrize("seconds", [0, 4])
def test_that_takes(seconds):
    time.sleep(seconds)
"""
    run = run_pytest(tmp_path, module, "--timeout", "50", "-n", "2")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "HANGS" not in run.stderr
