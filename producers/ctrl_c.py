"""Ctrl-C in the commands: while an event loop runs, it stops the loop's task and is never raised within it.

While a file is read, outside of any event loop, it is Python's `KeyboardInterrupt`.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")

_AGAIN_AFTER_S = 0.5


class CtrlC:
    """Notes Ctrl-C (`pressed`) instead of raising `KeyboardInterrupt`, from entering to leaving it.

    After it was pressed it stays ignored: the command is about to end, and has to say what to do next.

    Python's own handler raises it wherever it strikes; in a callback of the JSON encoder it comes out as a
    `TypeError`. That of `asyncio.run` cancels the task while it runs, which the next `asyncio.timeout(0)` takes for
    its own: redis-py has one before each command, so most were lost.
    """

    def __init__(self) -> None:
        self.pressed = False
        self._wake: Callable[[], object] | None = None

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN if self.pressed else self._before)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine as `asyncio.run` does. Raises `KeyboardInterrupt` once Ctrl-C has stopped it."""
        try:
            result = asyncio.run(self._until_pressed(main))
        except (Exception, asyncio.CancelledError):
            if self.pressed:
                # Whatever it was: a task that is stopped may fail in many ways.
                raise KeyboardInterrupt from None
            raise
        if self.pressed:
            raise KeyboardInterrupt
        return result

    async def _until_pressed(self, main: Coroutine[Any, Any, T]) -> T:
        stop = asyncio.Event()
        self._wake = partial(asyncio.get_running_loop().call_soon_threadsafe, stop.set)
        if self.pressed:
            stop.set()
        task, stopping = asyncio.ensure_future(main), asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            while not task.done():
                # More than once: `asyncio.wait_for` of Python 3.11 can drop a cancellation.
                task.cancel()
                await asyncio.wait({task}, timeout=_AGAIN_AFTER_S)
            return task.result()
        finally:
            self._wake = None
            stopping.cancel()

    def _note(self, _signum: int, _frame: object) -> None:
        self.pressed = True
        if self._wake is not None:
            self._wake()


def ignore() -> None:
    """Ignore Ctrl-C from now on: what is left is to say a line and to end the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as `asyncio.run` does. Raises `KeyboardInterrupt` once Ctrl-C has stopped it."""
    with CtrlC() as ctrl_c:
        return ctrl_c.run(main)
