"""Stops claiming while the store behind the jobs is out, and finds out by itself when it is back."""

import time
from collections.abc import Callable

_OPENS_AT = 3
# A fail-over is soon over, and a whole second of waiting would double its pause; a long outage is left alone.
_FIRST_PROBE_S, _LONGEST_PROBE_S = 0.125, 1.0


class CircuitBreaker:
    """Opens after three outages in a row; then lets one job through, after an eighth of a second
    at first and each second in the end, until one succeeds.

    `clock` returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._in_a_row = 0
        self._next_probe = 0.0
        self._pause_s = _FIRST_PROBE_S

    @property
    def is_open(self) -> bool:
        """Whether the store counts as out."""
        return self._in_a_row >= _OPENS_AT

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
        """Say that jobs were claimed: while open, the next probe is twice as far away."""
        if self.is_open:
            self._pause_s = min(2 * self._pause_s, _LONGEST_PROBE_S)
            self._next_probe = self._clock() + self._pause_s

    def outage(self) -> bool:
        """Say that a job met an outage; tells whether this opened the breaker."""
        self._in_a_row += 1
        if self.is_open:
            self._next_probe = self._clock() + self._pause_s
        return self._in_a_row == _OPENS_AT

    def inconclusive(self) -> None:
        """Say that a job ended without a word on the store: while open, another may try at once."""
        self._next_probe = 0.0

    def success(self) -> bool:
        """Say that a job reached the store; tells whether this closed the breaker."""
        was_open = self.is_open
        self._in_a_row = 0
        self._pause_s = _FIRST_PROBE_S
        return was_open
