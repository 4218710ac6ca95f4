"""When jobs that have to wait for their function return to their queue."""

from collections.abc import Callable

# Jobs that wait return in two lines. In the first each comes alone, to be the next probe. It is short, so that its
# jobs run soon after the trouble is over. The second returns the rest in groups, at a hundredth of the rate at
# which a worker can run jobs.
_TURN_S, _TURNS_S = 0.5, 10.0
_GROUP, _GROUPS_S, _LONGEST_S = 250, 1.0, 300.0
# Of jobs whose function nobody here has, so many return to a worker in a second: a twentieth of what it can run.
_SOONEST_S, _PER_SECOND = 5.0, 1_000


class WaitingLine:
    """Spreads the returns of one function's jobs, so that they cost the jobs of others almost nothing.

    `clock` returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last_turn = 0.0
        self._next_group, self._grouped = 0.0, 0

    def wait_s(self) -> float:
        """Return after how many seconds a job that has to wait is due again; at most 300."""
        now = self._clock()
        if self._last_turn < now + _TURNS_S:
            self._last_turn = max(self._last_turn, now) + _TURN_S
            return self._last_turn - now
        if self._next_group < now + _GROUPS_S:
            self._next_group, self._grouped = now + 2 * _GROUPS_S, 0
        elif self._grouped == _GROUP:
            self._next_group, self._grouped = self._next_group + _GROUPS_S, 0
        self._grouped += 1
        return min(self._next_group - now, _LONGEST_S)


class SpacedReturns:
    """Spreads the returns of jobs whose function a worker lacks: after 5 s, as long as they are few.

    Thousands would otherwise come back together every time, and keep the worker from all others.

    `clock` returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._next = 0.0

    def wait_s(self) -> float:
        """Return after how many seconds a job that cannot run here is due again; at most 300."""
        now = self._clock()
        wait_s = min(max(_SOONEST_S, self._next - now), _LONGEST_S)
        self._next = now + wait_s + 1 / _PER_SECOND
        return wait_s
