"""The time limits of running jobs, without a timer for each of them."""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.engine.running_job import Running


class Timeouts:
    """Interrupts jobs that have not ended in time.

    Jobs of one limit come to it in the order in which they began, so one timer for each length of a limit is
    enough: it waits for the oldest. A timer for each job took a twentieth of the time of one that does nothing.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._deadlines: dict[float, dict[Running, float]] = {}
        self._waiting: set[float] = set()

    def begin(self, running: "Running", seconds: float) -> None:
        """Interrupt the job in so many seconds, unless it has ended by then."""
        deadline = self._loop.time() + seconds
        self._deadlines.setdefault(seconds, {})[running] = deadline
        if seconds not in self._waiting:
            self._wait(seconds, deadline)

    def end(self, running: "Running", seconds: float) -> None:
        """Say that the job has ended, which began with this limit."""
        self._deadlines[seconds].pop(running, None)

    def _wait(self, seconds: float, deadline: float) -> None:
        self._waiting.add(seconds)
        self._loop.call_at(deadline, self._look, seconds)

    def _look(self, seconds: float) -> None:
        self._waiting.discard(seconds)
        now = self._loop.time()
        late = []
        for running, deadline in self._deadlines[seconds].items():
            if deadline > now:
                self._wait(seconds, deadline)
                break
            late.append(running)
        for running in late:
            self.end(running, seconds)
            running.interrupt("timeout")
