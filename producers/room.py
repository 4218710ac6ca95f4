"""How a producer waits for room on a queue that is full."""

import asyncio
import time
from collections.abc import Callable

from worker.backoff import Backoff
from worker.errors import QueueFull

OnFull = Callable[[QueueFull], None]

# Room comes as jobs end, a group at a time; many producers may wait for it.
_BACKOFF = Backoff(first_s=0.02, longest_s=1)


class RoomWait:
    """The wait of one call for room: up to `patience` seconds in all, however often it found none.

    `on_full` is called once, before the first pause.
    """

    def __init__(self, patience: float, on_full: OnFull | None) -> None:
        self._patience = patience
        self._on_full = on_full
        self._deadline = 0.0
        self._pauses = 0
        self._enqueued = -1

    async def wait(self, full: QueueFull) -> None:
        """Pause before the next try. Raises `full` if the patience is over."""
        now = time.monotonic()
        if self._enqueued < 0:
            self._deadline = now + self._patience
            if self._on_full is not None and self._patience > 0:
                self._on_full(full)
        # There was room for some: there will be more soon.
        self._pauses = 1 if full.enqueued > self._enqueued else self._pauses + 1
        self._enqueued = full.enqueued
        left = self._deadline - now
        if left <= 0:
            raise full
        await asyncio.sleep(min(left, _BACKOFF.delay_s(self._pauses)))
