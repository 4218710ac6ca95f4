"""Runs one server as its child and ends it once the process that asked for it is gone.

Started by path as a script of its own, with no import of this package, so that it is up in a
few milliseconds. It is the server's parent, hence the process id it signals is never another's.

Arguments: the asking process's id, a folder to remove if that process dies (or ""), a value for
LD_LIBRARY_PATH (or ""), and the server's command. Standard output carries the server's process
id; standard error takes the server's output; end of file on standard input means that the asking
process is dead.
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
_CANNOT_RUN = 127  # what a shell answers for a command that it cannot run


def _become_server(command: list[str], library_path: str, guardian: int) -> None:
    """Replace this forked process by the server. Never returns."""
    try:
        os.setpgid(0, 0)
        if sys.platform == "linux":
            # The guardian has one thread, so the signal cannot come from a thread's end alone.
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != guardian:
                os._exit(_CANNOT_RUN)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        environment = dict(os.environ)
        if library_path:
            environment["LD_LIBRARY_PATH"] = library_path
        os.execve(command[0], command, environment)
    except OSError as error:
        os.write(2, f"cannot run {command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(_CANNOT_RUN)


def _end(server: int) -> None:
    """SIGKILL the server, which has not been waited for yet, and what it has forked.

    A Redis that is killed while a child of it writes its file anew would leave that child with the folder's lock.
    """
    try:
        os.killpg(server, signal.SIGKILL)
    except ProcessLookupError:
        # It has not come to making its group.
        os.kill(server, signal.SIGKILL)


def main() -> int:
    """Guard the server until it or the asking process ends; return the server's exit code.

    A server ended by signal n is reported as 128 + n.
    """
    parent = int(sys.argv[1])
    temporary_folder, library_path, *command = sys.argv[2:]
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    guardian = os.getpid()
    server = os.fork()
    if server == 0:
        _become_server(command, library_path, guardian)
    # A signal sent to everything at once must not end the guardian before its server.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.write(1, f"{server}\n".encode())
    os.close(1)

    while True:
        # Left as a zombie at first, so that its process id stays that of its group.
        if os.waitid(os.P_PID, server, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            _end(server)
            code = os.waitstatus_to_exitcode(os.waitpid(server, 0)[1])
            return code if code >= 0 else 128 - code
        readable, _, _ = select.select([0, wake_read], [], [], _PARENT_CHECK_SECONDS)
        if wake_read in readable:
            os.read(wake_read, 512)
        # A fork of the asking process may hold the pipe open, so its end of file is not enough.
        if 0 in readable or os.getppid() != parent:
            _end(server)
            os.waitpid(server, 0)
            if temporary_folder:
                shutil.rmtree(Path(temporary_folder), ignore_errors=True)
            return 128 + signal.SIGKILL


if __name__ == "__main__":
    sys.exit(main())
