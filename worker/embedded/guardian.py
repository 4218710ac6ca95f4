"""Runs one server as its child process and kills it once the process that requested it is dead.

It is started by path as a standalone script that imports nothing of this package, so that it is
ready within a few milliseconds. Because it is the server's parent, the process id that it signals
can never belong to another process.

Arguments: the requesting process's id, a folder to remove if that process dies (or ""), and the
server's command. Standard output carries the server's process id; standard error receives the
server's output; end of file on standard input means that the requesting process is dead.
"""

import ctypes
import os
import select
import shutil
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PARENT_CHECK_SECONDS = 1.0
_CANNOT_RUN = 127  # a shell's exit code for a command that it cannot run


def _become_server(command: list[str], guardian: int) -> None:
    """Replace this forked process with the server. Never returns."""
    try:
        os.setpgid(0, 0)
        if sys.platform == "linux":
            # The kernel sends the signal when the parent *thread* ends. The guardian has only one thread.
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != guardian:
                os._exit(_CANNOT_RUN)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"cannot run {command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(_CANNOT_RUN)


def _end(server: int) -> None:
    """SIGKILL the server, which must not have been reaped yet, and the processes that it has forked.

    A Redis that is killed while its child rewrites the append-only file would leave that child running with the
    folder's lock.
    """
    try:
        os.killpg(server, signal.SIGKILL)
    except ProcessLookupError:
        # The server has not created its process group yet.
        os.kill(server, signal.SIGKILL)


def main() -> int:
    """Guard the server until it or the requesting process ends; return the server's exit code.

    A server that was killed by signal n is reported as 128 + n.
    """
    parent = int(sys.argv[1])
    temporary_folder, *command = sys.argv[2:]
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    guardian = os.getpid()
    server = os.fork()
    if server == 0:
        _become_server(command, guardian)
    # A signal sent to all processes at once must not end the guardian before its server.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.write(1, f"{server}\n".encode())
    os.close(1)

    while True:
        # The server stays a zombie at first (WNOWAIT), so that its process id still identifies its process group.
        if os.waitid(os.P_PID, server, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            _end(server)
            code = os.waitstatus_to_exitcode(os.waitpid(server, 0)[1])
            return code if code >= 0 else 128 - code
        readable, _, _ = select.select([0, wake_read], [], [], _PARENT_CHECK_SECONDS)
        if wake_read in readable:
            os.read(wake_read, 512)
        # A fork of the requesting process may hold the pipe open, so waiting for end of file is not enough.
        if 0 in readable or os.getppid() != parent:
            _end(server)
            os.waitpid(server, 0)
            if temporary_folder:
                shutil.rmtree(Path(temporary_folder), ignore_errors=True)
            return 128 + signal.SIGKILL


if __name__ == "__main__":
    sys.exit(main())
