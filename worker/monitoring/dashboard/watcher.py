"""Looks at the queues every two seconds, for all open pages together, and remembers the last minutes."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from worker.errors import RegistryError
from worker.monitoring.ended_counter import EndedCounter
from worker.queue.stats import QueueStats

INTERVAL_S = 2.0
_REMEMBERED = 150


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at an instant: the state of the queues, or why it could not be read. `number` counts looks."""

    number: int
    at: datetime
    stats: QueueStats | None
    problem: str = ""


class Watcher:
    """The last look, and the series that charts show."""

    def __init__(self, read: Callable[[], Awaitable[QueueStats]], interval_s: float = INTERVAL_S) -> None:
        self._read = read
        self._interval_s = interval_s
        self._changed = asyncio.Condition()
        self._ended = EndedCounter()
        self._remembered_at_s = -math.inf
        self.waiting: dict[str, deque[float]] = {}
        self.ended_per_s: deque[float] = deque(maxlen=_REMEMBERED)
        self.last: Look | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._interval_s)

    async def look(self) -> Look:
        """Look once, and remember what was seen."""
        number = self.last.number + 1 if self.last else 1
        try:
            stats = await self._read()
        except RegistryError as error:
            look = Look(number, datetime.now(UTC), None, str(error))
        else:
            look = Look(number, datetime.now(UTC), stats)
            self._remember(stats)
        async with self._changed:
            self.last = look
            self._changed.notify_all()
        return look

    async def after(self, number: int) -> Look:
        """Wait for a look of a higher number, and return it."""
        async with self._changed:
            while self.last is None or self.last.number <= number:
                await self._changed.wait()
            return self.last

    def _remember(self, stats: QueueStats) -> None:
        now = time.monotonic()
        # A page that is loaded looks too. Workers report once a second, so between two looks at nearly one time
        # the jobs of a second would seem to have ended in an instant.
        if now - self._remembered_at_s < self._interval_s / 2:
            return
        for name, queue in stats.queues.items():
            self.waiting.setdefault(name, deque(maxlen=_REMEMBERED)).append(float(queue.waiting))
        ended = self._ended.since_last_look(worker for worker, _ in stats.workers)
        self.ended_per_s.append(ended / (now - self._remembered_at_s))
        self._remembered_at_s = now
