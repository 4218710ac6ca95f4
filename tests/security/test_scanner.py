"""The log scanner finds secrets and payloads, and fails the test that logged them."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.security.scanner import CANARY, find_leaks, scan

ROOT = Path(__file__).resolve().parents[2]
INSIDE = f"""
import logging, subprocess, sys
import pytest, structlog

def test_standard_output():
    print("{CANARY}")

def test_structlog():
    structlog.get_logger().info("said", token="{CANARY}")

def test_logging():
    logging.getLogger("x").error("said %s", "{CANARY}")

def test_another_process():
    subprocess.run([sys.executable, "-c", "import sys; sys.stderr.write('{CANARY}')"], check=True)

def test_a_log_file(tmp_path):
    (tmp_path / "worker-0.log").write_text("fine, then {CANARY}")

@pytest.fixture
def worker(tmp_path):
    yield
    (tmp_path / "worker-1.log").write_text("{CANARY} at the very end")

def test_a_log_written_as_the_fixtures_end(worker):
    pass

def test_nothing():
    print("fine")
"""


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_every_form_of_a_marker_is_found(before: str) -> None:
    hidden = base64.b64encode(f"{before}{CANARY}, and more".encode()).decode()
    text = "\n".join(["fine", f"redis://:{CANARY}@host", "fine", CANARY.upper(), hidden])
    assert [leak.line for leak in find_leaks(text, "x")] == [2, 4, 5]


def test_a_leak_is_reported_by_its_place_and_not_by_its_value() -> None:
    (leak,) = find_leaks(f"fine\npassword={CANARY}", "worker-0.log")
    assert str(leak) == "worker-0.log, line 2: contains a secret or a payload"


def test_logs_in_subfolders_are_scanned_and_server_logs_are_not(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("worker.log", "server.log", "dead letters.ndjson"):
        (tmp_path / "data" / name).write_bytes(b"\xff\n" + CANARY.encode())
    leaks = scan([], tmp_path)
    for name in ("worker.log", "server.log"):
        (tmp_path / "data" / name).unlink()
    assert [str(leak) for leak in leaks] == ["data/worker.log, line 2: contains a secret or a payload"]


def test_a_test_whose_output_leaks_fails(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_inside.py").write_text(INSIDE)
    plugins = ("-p", "no:cacheprovider", "-p", "pytest_timeout")
    run = subprocess.run(
        # No short summary (-rN): if the variable CI is set, pytest repeats each message there, untruncated.
        [sys.executable, "-m", "pytest", "-q", "-rN", *plugins, "--rootdir", tmp_path, tmp_path],
        cwd=ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "7 passed, 6 errors" in run.stdout
    reported = [line for line in run.stdout.splitlines() if line.endswith("contains a secret or a payload")]
    assert sorted(reported) == [
        "Captured log call, line 1: contains a secret or a payload",
        "Captured stderr call, line 1: contains a secret or a payload",
        "Captured stdout call, line 1: contains a secret or a payload",
        "Captured stdout call, line 1: contains a secret or a payload",
        "worker-0.log, line 1: contains a secret or a payload",
        "worker-1.log, line 1: contains a secret or a payload",
    ]
    assert "test_nothing" not in run.stdout
