"""Keeps jobs of one function waiting while a dependency fails them, so that they cost the others almost nothing."""

from collections.abc import Callable

from worker.backoff import Backoff
from worker.engine.retry_policy import Trouble
from worker.engine.waiting_line import WaitingLine

OPENS_AT = 3
"""How many jobs in a row must meet trouble to open a breaker."""
PROBES = Backoff(first_s=0.125, longest_s=1)
"""How long a probe waits after the one before. A failover is soon over, and a whole second of waiting would double
its pause; a long outage needs no more probes than one a second."""
# More often if the trouble is this function's alone: each probe that is refused spends a try of its job, and an
# operator who is looking should see the jobs end.
_PROBES_OF_ONE = Backoff(first_s=0.125, longest_s=0.5)
# A probe that hangs delays the next one by so many seconds.
_PROBE_HANGS_S = 5.0


class FunctionBreaker:
    """Opens after three jobs in a row of one function that met trouble; then one of them at a time probes.

    A success ends it: its owner then drops it. `clock` returns monotonic seconds, `jitter` numbers from 0 to 1.
    """

    def __init__(self, trouble: Trouble, clock: Callable[[], float], jitter: Callable[[], float]) -> None:
        self.trouble = trouble
        self.others_succeed = False
        """Whether a job of another function has succeeded since it opened."""
        self._clock = clock
        self._jitter = jitter
        self._failures = 0
        self._next_probe = 0.0
        self._line = WaitingLine(clock)

    @property
    def is_open(self) -> bool:
        """Whether jobs of the function have to wait."""
        return self._failures >= OPENS_AT

    @property
    def is_the_only_one(self) -> bool:
        """Whether the trouble is known to be this function's alone."""
        return self.others_succeed or not self.trouble.is_shared

    def failed(self, trouble: Trouble) -> bool:
        """Note that a job met trouble; returns whether this opened the breaker."""
        self.trouble = trouble
        self._failures += 1
        if self.is_open:
            probes = _PROBES_OF_ONE if self.is_the_only_one else PROBES
            self._next_probe = self._clock() + probes.delay_s(self._failures - OPENS_AT + 1, jitter=self._jitter())
        return self._failures == OPENS_AT

    def inconclusive(self) -> None:
        """Note that a probe ended without an answer of the dependency: another may try at once."""
        self._next_probe = 0.0

    @property
    def is_probe_due(self) -> bool:
        """Whether the next job may run as the probe."""
        return self._clock() >= self._next_probe

    def may_probe(self) -> bool:
        """Return whether a job may run now, as the probe; the next one may not before this one has ended."""
        if not self.is_probe_due:
            return False
        self._next_probe = self._clock() + _PROBE_HANGS_S
        return True

    def wait_s(self) -> float:
        """Return after how many seconds a job that has to wait is due again."""
        return self._line.wait_s()
