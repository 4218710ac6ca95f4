import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from worker.cli import app
from worker.liveness import LiveFile, live_folder, live_workers
from worker.redis.client import registry_mark
from worker.settings import load_settings

# A process with a file, until its standard input is closed; `{extra}` runs before it says that it is there.
HOLDER = """
import os, sys
from worker.liveness import LiveFile
file = LiveFile(sys.argv[1], float(sys.argv[2]), sys.argv[3])
{extra}
print("there", flush=True)
sys.stdin.read()
{end}
"""
LEFT = "os._exit(0)"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return live_folder()


@contextmanager
def holder(
    worker: str = "vm:1:a",
    tolerated_s: float = 60,
    *,
    registry: str = "",
    extra: str = "",
    end: str = "file.close()",
) -> Iterator["subprocess.Popen[str]"]:
    code = HOLDER.format(extra=extra, end=end)
    command = [sys.executable, "-c", code, worker, str(tolerated_s), registry]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        yield process


def names() -> list[str]:
    return [worker.worker for worker in live_workers()]


def check() -> tuple[int, str]:
    result = CliRunner().invoke(app, ["check", "--live"])
    return result.exit_code, result.output


def test_without_a_worker_none_is_live(folder: Path) -> None:
    assert live_workers() == []
    assert check() == (1, f"no worker process of this user runs here ({folder})\n")


def test_a_worker_is_live_until_it_ends() -> None:
    with holder():
        (worker,) = live_workers()
        assert (worker.worker, worker.tolerated_s, worker.is_live) == ("vm:1:a", 60, True)
        assert 0 <= worker.silent_s < 30
        assert check() == (0, "1 live: vm:1:a\n")
    assert live_workers() == []


def test_workers_of_another_registry_do_not_count(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:secret@one.example:7000/3")
    own = registry_mark(load_settings())
    # The password may be another one, the database not.
    monkeypatch.setenv("REDIS_URL", "redis://:another@one.example:7000/4")
    other = registry_mark(load_settings())
    monkeypatch.setenv("REDIS_URL", "redis://:another@one.example:7000/3")
    assert registry_mark(load_settings()) == own != other
    with holder("vm:1:a", registry=own), holder("vm:2:b", 0, registry=other):
        assert check() == (0, "1 live: vm:1:a\n")
    with holder("vm:2:b", registry=other):
        assert check() == (1, f"no worker process of this user runs here ({folder}); 1 of another REDIS_URL do\n")
    with holder("vm:3:c"):
        # Of an earlier version, or of an arq user's own settings.
        assert check() == (0, "1 live: vm:3:c\n")
    monkeypatch.setenv("REDIS_URL", "not a URL")
    with holder("vm:1:a", registry=own):
        assert check() == (0, "1 live: vm:1:a\n")


def test_an_earlier_version_reads_the_file_of_this_one(folder: Path) -> None:
    with holder(registry="ab" * 16):
        first = (folder / "vm:1:a.live").read_bytes()[:64]
    beat_s, tolerated_s = (float(number) for number in first.split())
    assert (beat_s > 0, tolerated_s) == (True, 60)


def test_one_of_several_that_hangs_is_named() -> None:
    with holder("vm:1:a"), holder("vm:2:b", 0):
        assert names() == ["vm:1:a", "vm:2:b"]
        code, output = check()
        assert code == 1
        assert "worker vm:2:b: its event loop has not run for " in output
        assert "vm:1:a" not in output


@pytest.mark.parametrize(
    "end",
    [LEFT, "os.kill(os.getpid(), 9)", "raise SystemExit"],
    ids=["exited", "killed", "failed"],
)
def test_the_file_of_a_process_that_left_it_behind_is_removed(folder: Path, end: str) -> None:
    with holder(end=end):
        assert names() == ["vm:1:a"]
    assert [path.name for path in folder.iterdir()] == ["vm:1:a.live"]
    assert names() == []
    assert list(folder.iterdir()) == []


def test_a_process_that_a_job_forked_does_not_keep_its_worker_alive() -> None:
    """It outlives the worker, which hangs no longer than it lives."""
    fork = "import time\nif os.fork() == 0:\n    os.close(1)\n    sys.stdin.read()\n    time.sleep(30)"
    with holder(extra=fork, end=LEFT) as process:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
        assert names() == []


def test_a_beat_makes_the_silence_end() -> None:
    beat = "import time\ntime.monotonic = lambda: real() - 100\nfile.beat()"
    with holder(extra=f"import time\nreal = time.monotonic\n{beat}"):
        (worker,) = live_workers()
        assert 99 < worker.silent_s < 130
        assert not worker.is_live
    with holder(extra=f"import time\nreal = time.monotonic\n{beat}\ntime.monotonic = real\nfile.beat()"):
        (worker,) = live_workers()
        assert worker.is_live


def test_only_this_user_can_read_and_write(folder: Path) -> None:
    file = LiveFile("vm:1:a", 60)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600]
    file.close()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "occupy",
    [lambda folder: folder.write_text("a file"), lambda folder: folder.symlink_to(folder.parent)],
    ids=["file", "symbolic link"],
)
def test_what_another_program_put_in_the_place_of_the_folder_is_refused(
    folder: Path, occupy: Callable[[Path], object]
) -> None:
    occupy(folder)
    with pytest.raises(OSError, match=str(folder)):
        LiveFile("vm:1:a", 60)


def test_a_symbolic_link_in_the_place_of_the_file_is_not_followed(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    folder.mkdir()
    (folder / "vm:1:a.new").symlink_to(target)
    with pytest.raises(OSError, match="vm:1:a"):
        LiveFile("vm:1:a", 60)
    assert not target.exists()


def test_the_folder_is_in_tmp_without_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR")
    assert live_folder() == Path("/tmp") / f"hospital-worker-{os.getuid()}"  # noqa: S108 (compared, not used)


def test_live_and_ready_are_two_questions() -> None:
    result = CliRunner().invoke(app, ["check", "--live", "--ready"])
    assert (result.exit_code, "either" in result.output) == (2, True)
