"""Runs coroutines for threads that have no event loop, in a background thread of its own."""

import asyncio
import concurrent.futures
import os
import threading
import weakref
from collections.abc import Awaitable, Callable
from typing import TypeVar

from producers.inherited import keep_in_children
from worker.errors import ConfigurationError, OutageError

T = TypeVar("T")

# What closing may take: longer than one of Redis's timeouts by default, so that an exit never hangs.
_CLOSE_S = 10.0


class _LoopThread:
    """One thread with an event loop, which awaits `at_end` before it ends."""

    def __init__(self, at_end: Callable[[], Awaitable[None]]) -> None:
        self.pid = os.getpid()
        # Not what a policy of the application makes: how this one takes a fork is known.
        self.loop = asyncio.SelectorEventLoop()
        self._at_end = at_end
        self._stopping = asyncio.Event()
        # A daemon, so that the interpreter's exit gets as far as to stop it.
        self.thread = threading.Thread(target=self._run, name="hospital-producer", daemon=True)
        keep_in_children(self.loop)
        self.thread.start()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        await self._stopping.wait()
        await self._at_end()

    def stop(self) -> None:
        """End the thread, in the process that has it; once."""
        if self.pid != os.getpid():
            return
        self.loop.call_soon_threadsafe(self._stopping.set)
        # Whatever holds an object last collects it, perhaps this very thread.
        if threading.current_thread() is not self.thread:
            self.thread.join(_CLOSE_S)


class OwnLoop:
    """Runs coroutines in one background thread of each process; made at the first use, also after a fork.

    `at_end` is awaited in that thread when it ends: at `close`, when this object is collected, or at the
    interpreter's exit.
    """

    def __init__(self, at_end: Callable[[], Awaitable[None]]) -> None:
        self._at_end = at_end
        self._thread: _LoopThread | None = None
        # Called at once by `close`, and otherwise at the end.
        self._stop: Callable[[], object] = _nothing
        # By process: at a fork, a thread that the child does not have may hold the parent's.
        self._locks: dict[int, threading.Lock] = {}

    def run(self, call: Callable[[], Awaitable[T]]) -> T:
        """Await what `call` returns, and return its result or raise its error; an interrupted caller cancels it."""
        running = self._running()
        if threading.current_thread() is running.thread:
            raise ConfigurationError("a synchronous producer was called in its own thread; use it in another one")
        future = asyncio.run_coroutine_threadsafe(_awaited(call), running.loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            if threading.current_thread().daemon and not threading.main_thread().is_alive():
                # The interpreter ends, and this thread with it. An error would only be printed.
                threading.Event().wait()
            message = "the producer was closed while a call waited; the job may have been enqueued"
            raise OutageError(message, dependency="Redis") from None
        finally:
            future.cancel()

    def close(self) -> None:
        """End this process's thread, if there is one. The next call makes another one."""
        with self._lock():
            self._thread = None
            stop, self._stop = self._stop, _nothing
        stop()

    def _running(self) -> _LoopThread:
        running = self._thread
        if running is not None and running.pid == os.getpid():
            return running
        with self._lock():
            if self._thread is None or self._thread.pid != os.getpid():
                self._thread = _LoopThread(self._at_end)
                self._stop = weakref.finalize(self, self._thread.stop)
            return self._thread

    def _lock(self) -> threading.Lock:
        return self._locks.setdefault(os.getpid(), threading.Lock())


async def _awaited(call: Callable[[], Awaitable[T]]) -> T:
    return await call()


def _nothing() -> None:
    pass
