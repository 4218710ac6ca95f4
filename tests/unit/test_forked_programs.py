"""What tests start as forks does what it does as processes of their own."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fork_server import Call
from tests.support.forked_programs import ForkedProgram, ForkServer, can_fork
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    server = ForkServer()
    yield server
    server.stop()


async def forked(server: ForkServer, call: Call) -> tuple[int, str, str]:
    """Run a program to completion in a fork; returns its exit code and its output."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        code = await server.run(call, out.fileno(), err.fileno()).wait()
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read()


async def waiting(server: ForkServer, folder: Path) -> ForkedProgram:
    """Start a program that leaves all signals to Python, and wait until it waits."""
    begun = folder / "begun"
    # Not a file that is opened: a KeyboardInterrupt while Python closes a forgotten one is ignored.
    once = ("-n", "1", "-r", "1", "-s", f"import os, time; os.mkdir({str(begun)!r})")
    with tempfile.TemporaryFile() as out:
        program = server.run(Call("timeit", [*once, "time.sleep(600)"], {}), out.fileno(), out.fileno())
    await until(begun.exists)
    assert program.returncode is None
    return program


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (Call("worker", ["--version"], {}), 0),
        (Call("producers", ["inspect", "none.csv"], {}), 2),
        (Call("arq", ["worker.main.WorkerSettings"], {"WORKER_MAX_JOBS": "many"}), 1),
        (Call("arq", ["rough_settings.None"], {"PYTHONPATH": str(ROOT / "tests/acceptance/settings")}), 1),
    ],
    ids=["output", "error", "settings", "traceback"],
)
async def test_a_fork_does_what_an_interpreter_does(server: ForkServer, call: Call, code: int) -> None:
    command = [sys.executable, "-m", call.module, *call.arguments]
    options: Any = {"env": call.environment, "cwd": ROOT, "capture_output": True, "text": True, "timeout": 60}
    anew = await asyncio.to_thread(lambda: subprocess.run(command, check=False, **options))

    found = await forked(server, call)

    assert found[:2] == (anew.returncode, anew.stdout)
    assert anew.returncode == code
    assert found[2].splitlines()[-1:] == anew.stderr.splitlines()[-1:]


async def test_a_fork_has_only_the_environment_that_it_is_given(server: ForkServer) -> None:
    for given in ({"FIRST": "1"}, {"SECOND": "2"}):
        once = ["-n", "1", "-r", "1", "-s", "import os", "print(dict(os.environ))"]

        code, out, _ = await forked(server, Call("timeit", once, given))

        assert (code, out.splitlines()[0]) == (0, str(given))


# That program ends with 1 after Ctrl-C.
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, -15), (signal.SIGINT, 1)])
async def test_a_signal_ends_a_fork_as_it_ends_a_process(
    server: ForkServer, tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    program = await waiting(server, tmp_path)

    program.send_signal(sent)

    async with asyncio.timeout(20):
        assert await program.wait() == code
    assert is_gone(program.pid)


async def test_forks_end_with_their_server(tmp_path: Path) -> None:
    server = ForkServer()
    program = await waiting(server, tmp_path)

    server.process.kill()

    await until(lambda: is_gone(program.pid))
    assert program.returncode == -signal.SIGTERM
    server.stop()


def test_only_known_programs_in_the_usual_environment_are_forks() -> None:
    assert can_fork("worker", {"REDIS_URL": ""})
    assert not can_fork("pytest", {})
    assert not can_fork("arq", {"PYTHONPATH": "."})
