"""Holds back jobs while a dependency fails them, of one function or of all, and probes until it is back."""

import random
import time
from collections import Counter
from collections.abc import Callable, Collection

from worker.backoff import Backoff
from worker.engine.events import BreakerChanged, Events
from worker.engine.function_breaker import OPENS_AT, PROBES, FunctionBreaker
from worker.engine.retry_policy import Trouble

# While some functions have met a shared trouble, nobody knows whether the others would. Their jobs are put aside to
# find one of another: this many, which takes about a second.
_PUT_ASIDE = 20_000
# As short as the wait of a job that met an outage.
_ASIDE = Backoff(first_s=1, longest_s=1)
# In a long outage more than one job is claimed with each probe, and put aside if its function has been tried: so a
# function that works is found behind those that do not, however many jobs they have.
_NARROW_PROBES, _WIDE = 8, 100


class CircuitBreaker:
    """The circuit breakers of a worker: one for each function whose jobs met trouble, and one for all jobs.

    Three jobs in a row of one function open that function's (`FunctionBreaker`). Its jobs are put aside, that is
    returned to their queue without being run and without spending a try, while those of other functions run.

    The breaker for all jobs opens when three jobs in a row have met a shared trouble, and each of the worker's
    `functions` has met it. If the worker does not name its `functions`, two are enough. It also opens when 20,000
    jobs were put aside without a success, because then no job of another function can be found. While it is open,
    one job at a time probes, the first within an eighth of a second, then after a delay that doubles up to a
    second. It closes when a probe succeeds.

    Only jobs that were claimed since the last change count. A job from before an outage can succeed during it,
    because only its last steps were left; a job from before the return of MongoDB can still report the outage.

    `clock` returns monotonic seconds, `jitter` numbers from 0 to 1.
    """

    def __init__(
        self,
        events: Events,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
        functions: Collection[str] = (),
    ) -> None:
        self._events = events
        self._all_functions = frozenset(functions)
        self._clock = clock
        self._jitter = jitter
        self._functions: dict[str, FunctionBreaker] = {}
        self._changed: dict[str, int] = {}
        # The functions of the jobs in a row that met a shared trouble.
        self._in_a_row: Counter[str] = Counter()
        self._put_aside = 0
        self._stopped_for = ""
        self._stop_changed = 0
        self._probes = 0
        self._next_probe = 0.0
        self._has_probe = False
        self._tried: set[str] = set()
        self.era = 0
        """Counts the changes. A job reports with the era in which it was claimed, or let through as a probe."""

    @property
    def is_troubled(self) -> bool:
        """Whether any job has met trouble since the last success of its function."""
        return bool(self._functions)

    @property
    def is_open(self) -> bool:
        """Whether no function is known to work: the worker counts as unready."""
        return bool(self.why_not)

    @property
    def why_not(self) -> str:
        """Why jobs do not run, unless those of some function do; empty otherwise."""
        if self._stopped_for:
            return self._stopped_for
        reasons = [
            breaker.trouble.reason if breaker.trouble.is_shared else _named(function, breaker)
            for function, breaker in self._functions.items()
            if breaker.is_open and not breaker.others_succeed
        ]
        return "; ".join(dict.fromkeys(reasons))

    @property
    def held_functions(self) -> list[str]:
        """The functions whose jobs have to wait, each with the reason; a worker is ready beside them."""
        return [_named(function, breaker) for function, breaker in self._functions.items() if breaker.is_open]

    def allowance(self, free_slots: int) -> int:
        """Return how many jobs may be claimed now, `free_slots` being free."""
        if not self._stopped_for:
            return free_slots
        if self._clock() < self._next_probe:
            return 0
        return min(free_slots, 1 if self._probes < _NARROW_PROBES else _WIDE)

    @property
    def wait_s(self) -> float:
        """Seconds until the next probe is allowed, if all claims are stopped."""
        return max(0.0, self._next_probe - self._clock()) if self._stopped_for else 0.0

    def probed(self) -> None:
        """Note that jobs were claimed: while all claims are stopped, the next probe is further away."""
        if self._stopped_for:
            self._probes += 1
            self._has_probe = False
            self._postpone_probe()

    def holds(self, function: str) -> bool:
        """Whether a job of that function would be put aside now. Unlike `put_aside_s`, it takes no turn."""
        breaker = self._functions.get(function)
        return breaker is not None and breaker.is_open and not breaker.is_probe_due

    def put_aside_s(self, function: str, era: int) -> float | None:
        """Return after how many seconds a claimed job of that function is due again; `None` if it may run.

        Call it only while `is_troubled`.
        """
        breaker = self._functions.get(function)
        if breaker is not None and breaker.is_open and breaker.is_the_only_one:
            if breaker.may_probe():
                return None
            # It says nothing about the dependency that all jobs wait for, so another job may probe at once.
            self._next_probe = 0.0
            return breaker.wait_s()
        if self._stopped_for and era >= self._stop_changed:
            return None if self._may_probe(function) else self._aside_s()
        if breaker is None or not breaker.is_open or breaker.may_probe():
            return None
        self._put_aside += 1
        if self._put_aside == _PUT_ASIDE and not self._stopped_for:
            self._stop(breaker.trouble)
        return self._aside_s()

    def failed(self, function: str, trouble: Trouble, era: int) -> None:
        """Note that a job of that function met trouble."""
        if era < max(self._stop_changed, self._changed.get(function, 0)):
            return
        breaker = self._functions.get(function)
        if breaker is None:
            breaker = self._functions[function] = FunctionBreaker(trouble, self._clock, self._jitter)
        if self._stopped_for and trouble.is_shared:
            self._postpone_probe()
            return
        self._next_probe = 0.0
        if breaker.failed(trouble):
            self._changed[function] = self._next_era()
            self._events.send(BreakerChanged(True, trouble.reason, function))
        if not breaker.is_the_only_one:
            self._in_a_row[function] += 1
            if self._in_a_row.total() >= OPENS_AT and self._is_met_by_all():
                self._stop(trouble)

    def inconclusive(self, function: str, era: int) -> None:
        """Note that a job ended without an answer of its dependency: another may probe at once."""
        if era < self._stop_changed:
            return
        if self._stopped_for:
            self._next_probe = 0.0
        breaker = self._functions.get(function)
        if breaker is not None and era >= self._changed.get(function, 0):
            breaker.inconclusive()

    def succeeded(self, function: str, era: int) -> None:
        """Note that a job of that function succeeded."""
        if not self._functions or era < self._stop_changed:
            return
        breaker = self._functions.get(function)
        if breaker is not None:
            if era < self._changed.get(function, 0):
                return
            self._close(function)
            if breaker.is_open and breaker.trouble.is_shared:
                self._close_all_shared()
        self._in_a_row.clear()
        self._put_aside = 0
        for other, held in self._functions.items():
            if held.is_open and era >= self._changed[other]:
                held.others_succeed = True
        if self._stopped_for:
            self._resume(recovered=breaker is not None)

    def _is_met_by_all(self) -> bool:
        if self._all_functions:
            return self._functions.keys() >= self._all_functions
        return len(self._in_a_row) > 1

    def _may_probe(self, function: str) -> bool:
        """Return whether a job runs that was claimed while all claims are stopped."""
        if self._has_probe and function in self._tried:
            return False
        self._has_probe = True
        self._tried.add(function)
        return True

    def _aside_s(self) -> float:
        return _ASIDE.delay_s(1, jitter=self._jitter())

    def _stop(self, trouble: Trouble) -> None:
        self._stopped_for = trouble.reason
        self._stop_changed = self._next_era()
        self._in_a_row.clear()
        self._probes = 0
        self._tried = set(self._functions)
        self._postpone_probe()
        self._events.send(BreakerChanged(True, trouble.reason))

    def _resume(self, *, recovered: bool) -> None:
        """Let all jobs be claimed; `recovered` says whether a function works again that had failed."""
        reason, self._stopped_for = self._stopped_for, ""
        self._stop_changed = self._next_era()
        if recovered:
            self._close_all_shared()
        self._events.send(BreakerChanged(False, reason))

    def _close_all_shared(self) -> None:
        """Close the breakers of a shared trouble: a function that had failed works again, so it is over."""
        for function in [name for name, breaker in self._functions.items() if breaker.trouble.is_shared]:
            self._close(function)

    def _close(self, function: str) -> None:
        breaker = self._functions.pop(function)
        if breaker.is_open:
            self._changed[function] = self._next_era()
            self._events.send(BreakerChanged(False, breaker.trouble.reason, function))

    def _next_era(self) -> int:
        self.era += 1
        return self.era

    def _postpone_probe(self) -> None:
        self._next_probe = self._clock() + PROBES.delay_s(self._probes + 1, jitter=self._jitter())


def _named(function: str, breaker: FunctionBreaker) -> str:
    return f"{function}: {breaker.trouble.reason}"
