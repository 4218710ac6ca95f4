"""Stops claiming while MongoDB is unavailable, and finds out without help when it is back."""

import random
import time
from collections.abc import Callable

from worker.backoff import Backoff

_OPENS_AT = 3
# A failover is soon over, and a whole second of waiting would double its pause; a long outage needs no more probes
# than one a second.
_PROBES = Backoff(first_s=0.125, longest_s=1)


class CircuitBreaker:
    """Opens after three outages in a row. While open, it lets one job at a time probe, and closes if that succeeds.

    Only jobs that were claimed since the last change count. A job from before an outage may end well long after it
    began, because its last steps waited for a free thread; one from before the return of MongoDB may still report
    the outage.

    The first probe comes within an eighth of a second; the delay doubles up to a second. `clock` returns
    monotonic seconds, `jitter` numbers from 0 to 1.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, jitter: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self._outages_in_a_row = 0
        self._probes = 0
        self._next_probe = 0.0
        self.era = 0
        """Counts the changes. A job reports with the era in which it was claimed."""

    @property
    def is_open(self) -> bool:
        """Whether MongoDB counts as unavailable."""
        return self._outages_in_a_row >= _OPENS_AT

    def allowance(self, free_slots: int) -> int:
        """Return how many jobs may be claimed now, `free_slots` being free."""
        if not self.is_open:
            return free_slots
        return min(free_slots, 1) if self._clock() >= self._next_probe else 0

    @property
    def wait_s(self) -> float:
        """Seconds until the next probe is allowed."""
        return max(0.0, self._next_probe - self._clock()) if self.is_open else 0.0

    def probed(self) -> None:
        """Note that jobs were claimed: while open, the next probe is further away."""
        if self.is_open:
            self._probes += 1
            self._postpone_probe()

    def outage(self, era: int) -> bool:
        """Note that a job met an outage; returns whether this opened the breaker."""
        if era != self.era:
            return False
        self._outages_in_a_row += 1
        if self.is_open:
            self._postpone_probe()
        opened = self._outages_in_a_row == _OPENS_AT
        self.era += opened
        return opened

    def inconclusive(self, era: int) -> None:
        """Note that a job ended without reaching MongoDB: while open, another may try at once."""
        if era == self.era:
            self._next_probe = 0.0

    def success(self, era: int) -> bool:
        """Note that a job reached MongoDB; returns whether this closed the breaker."""
        if not self._outages_in_a_row or era != self.era:
            return False
        was_open = self.is_open
        self.era += was_open
        self._outages_in_a_row = 0
        self._probes = 0
        return was_open

    def _postpone_probe(self) -> None:
        self._next_probe = self._clock() + _PROBES.delay_s(self._probes + 1, jitter=self._jitter())
