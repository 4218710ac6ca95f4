"""An interpreter that has imported what workers and commands need, and runs each program in a fork of itself.

`tests/support/forked_programs.py` starts one, and calls it over its standard input, a socket. A call is a line of
JSON with three descriptors: the program's standard output and error, and a pipe. The process id of the fork is
written to the pipe, and its exit code once it has ended, each as four bytes.

A fork does what `python -m MODULE` does, and ends as that does. It shares no state with another: while they are
imported, the modules in `IMPORTED` start no thread, open no file, and read no setting that tests change.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from typing import NamedTuple

from worker.supervisor import exit_with_parent

NUMBER = struct.Struct("!i")
# `worker.main` is not among them: it reads the settings. Nor is what only some programs import.
IMPORTED = (
    *("arq.cli", "arq.worker", "motor.motor_asyncio", "structlog", "uvloop"),
    *("worker.cli", "worker.engine.worker", "worker.engine.dead_letter_archive", "worker.engine.history_mover"),
    *("worker.jobs", "worker.logs", "worker.mongo.actions", "worker.mongo.job_history", "worker.mongo.outbox"),
    *("worker.mongo.registrations", "worker.mongo.schema", "worker.mongo.startup"),
    *("worker.monitoring.action_mover", "worker.monitoring.observer", "worker.redis.startup"),
    *("producers.cli", "producers.client", "producers.commands.change", "producers.commands.imports"),
    *("producers.commands.ingest", "producers.commands.inspect", "producers.commands.register"),
)
_PIECE = 65_536


class Call(NamedTuple):
    """A program to run: a module, its arguments, and all of its environment."""

    module: str
    arguments: list[str]
    environment: dict[str, str]


def main() -> None:
    """Serve calls until the test process has ended; in each fork, run the program that was called."""
    for name in IMPORTED:
        importlib.import_module(name)
    # A fork would otherwise write to all of these objects, and so copy them, when it first collects garbage.
    gc.collect()
    gc.freeze()
    calls = socket.socket(fileno=os.dup(0))
    # Ctrl-C on the terminal of the tests is for pytest.
    heeded = signal.signal(signal.SIGINT, signal.SIG_IGN)
    call = _serve(calls)
    if call is not None:
        signal.signal(signal.SIGINT, heeded)
        _run(call)


def _serve(calls: socket.socket) -> Call | None:
    """Fork for each call. Returns the call in the fork, and None once there are no more calls."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    server = os.getpid()
    running: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([calls.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 512)
            _report_ended(running)
        if calls.fileno() not in ready:
            continue
        received = _received(calls)
        if received is None:
            return None
        call, descriptors = received
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            exit_with_parent(server)
            _connect(*descriptors[:2])
            for descriptor in (calls.detach(), woken, wake, *descriptors, *running.values()):
                os.close(descriptor)
            return call
        out, err, report = descriptors
        os.close(out)
        os.close(err)
        running[pid] = report
        _write(report, pid)


def _connect(out: int, err: int) -> None:
    """Let standard input be empty, and standard output and error these."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((nothing, out, err)):
        os.dup2(descriptor, number)
    os.close(nothing)


def _received(calls: socket.socket) -> tuple[Call, list[int]] | None:
    line, descriptors, _, _ = socket.recv_fds(calls, _PIECE, 3)
    while line and not line.endswith(b"\n"):
        piece = calls.recv(_PIECE)
        line = line + piece if piece else b""
    return (Call(*json.loads(line)), descriptors) if line else None


def _report_ended(running: dict[int, int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        report = running.pop(pid)
        _write(report, os.waitstatus_to_exitcode(status))
        os.close(report)


def _write(report: int, number: int) -> None:
    # The test may have ended, and its end of the pipe is closed.
    with suppress(BrokenPipeError):
        os.write(report, NUMBER.pack(number))


def _run(call: Call) -> None:
    os.environ.clear()
    os.environ.update(call.environment)
    paths = call.environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:1] = [path for path in paths if path and path not in sys.path]
    sys.argv = [call.module, *call.arguments]
    runpy.run_module(call.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
