"""Signals that arrive before the event loop runs."""

import asyncio
from collections.abc import Callable

from worker.engine.signal_handlers import call_before_handler


class EarlySignals:
    """Notes signals until the event loop passes them on by itself.

    uvloop learns of signals through a pipe that it reads only while it runs. One that arrives after its handler was
    installed, and before the loop runs, would be lost: the worker would start, and go on until it was killed.
    """

    def __init__(self) -> None:
        self.noted: int | None = None
        self._loop_runs = False

    def watch(self, signum: int) -> None:
        """Note this signal beside the handler that it has. To be called in the main thread."""
        call_before_handler(signum, self._note)

    async def pass_on(self, handle: Callable[[int], None], is_stopping: Callable[[], bool]) -> None:
        """Hand a noted signal to `handle`, unless the loop has by now. To be called first of all in the loop."""
        if self._loop_runs:
            return
        # From here on the loop passes signals on; asyncio's own does so for earlier ones too, in its first turns.
        self._loop_runs = True
        noted, self.noted = self.noted, None
        if noted is not None:
            for _ in range(2):
                await asyncio.sleep(0)
            if not is_stopping():
                handle(noted)

    def _note(self, signum: int) -> None:
        if not self._loop_runs:
            self.noted = signum
