"""Counts a worker's tries by how they ended, in one small step each, for metrics, rates and the log."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from worker.escaping import escape
from worker.queue.histograms import BOUNDS_S, BUCKETS
from worker.queue.rates import JobKey, JobTally

OTHER = "other"
"""Stands for a function that the worker does not have, and for error classes beyond the first hundred."""
# A job can make classes of any name.
_MOST_ERRORS = 100
# Only these say how long jobs waited and ran: in other tries the function was not called, or did not end.
_TIMED = frozenset({"complete", "dead", "aborted", "retried"})


class EndedTry(Protocol):
    """What this needs of the engine's event `TryEnded`."""

    @property
    def function(self) -> str: ...  # noqa: D102 (as in the event)
    @property
    def queue(self) -> str: ...  # noqa: D102
    @property
    def outcome(self) -> str: ...  # noqa: D102
    @property
    def pickup_s(self) -> float: ...  # noqa: D102
    @property
    def run_s(self) -> float: ...  # noqa: D102
    @property
    def error_class(self) -> str: ...  # noqa: D102


@dataclass(slots=True)
class Tally:
    """The tries of one function on one queue that ended one way; the histograms count by `BOUNDS_S`."""

    count: int = 0
    pickup: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    run: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    pickup_s: float = 0.0
    run_s: float = 0.0


class Tallies:
    """Counts the tries of one worker, since it was made.

    Only names in `functions` are counted apart: any program that can write to Redis can make up others.
    """

    def __init__(self, functions: Collection[str]) -> None:
        self._functions = frozenset(functions)
        self._tallies: dict[tuple[str, str, str], Tally] = {}
        self.errors: Counter[tuple[str, str]] = Counter()
        """How many tries of a function ended with an error of a class."""

    def try_ended(self, event: EndedTry) -> None:
        """Count a try. This runs once for each job, so it does no more than it must."""
        tally = self._tallies.get((event.function, event.queue, event.outcome))
        if tally is None:
            tally = self._new(event)
        tally.count += 1
        pickup_s, run_s = event.pickup_s, event.run_s
        tally.pickup[bisect_left(BOUNDS_S, pickup_s)] += 1
        tally.run[bisect_left(BOUNDS_S, run_s)] += 1
        tally.pickup_s += pickup_s
        tally.run_s += run_s
        if event.error_class:
            self._count_error(event)

    def by_outcome(self) -> Mapping[tuple[str, str, str], Tally]:
        """Return the tallies by function, queue and outcome."""
        return self._tallies

    def timed(self) -> dict[JobKey, Tally]:
        """Return the tries whose function was called, by queue and function."""
        found: dict[JobKey, Tally] = {}
        for (function, queue, outcome), tally in self._tallies.items():
            if outcome in _TIMED:
                total = found.setdefault((queue, function), Tally())
                total.count += tally.count
                total.pickup = [a + b for a, b in zip(total.pickup, tally.pickup, strict=True)]
                total.run = [a + b for a, b in zip(total.run, tally.run, strict=True)]
                total.pickup_s += tally.pickup_s
                total.run_s += tally.run_s
        return found

    def job_tallies(self) -> dict[JobKey, JobTally]:
        """Return what `worker.queue.rates` adds up, since this was made."""
        found = {key: JobTally({}, tally.pickup, tally.run) for key, tally in self.timed().items()}
        for (function, queue, outcome), tally in self._tallies.items():
            found.setdefault((queue, function), JobTally()).outcomes[outcome] = tally.count
        return found

    def outcomes(self) -> Counter[str]:
        """Return how many tries ended which way."""
        found: Counter[str] = Counter()
        for (_, _, outcome), tally in self._tallies.items():
            found[outcome] += tally.count
        return found

    def _new(self, event: EndedTry) -> Tally:
        function = event.function if event.function in self._functions else OTHER
        return self._tallies.setdefault((function, event.queue, event.outcome), Tally())

    def _count_error(self, event: EndedTry) -> None:
        function = event.function if event.function in self._functions else OTHER
        # A name may hold any text, such as half a character.
        key = (function, escape(event.error_class))
        if key not in self.errors and len(self.errors) >= _MOST_ERRORS:
            key = (function, OTHER)
        self.errors[key] += 1


def difference(now: Mapping[JobKey, JobTally], before: Mapping[JobKey, JobTally]) -> dict[JobKey, JobTally]:
    """Return what was added to the tallies `before`; functions to which nothing was added are left out."""
    found = {}
    for key, tally in now.items():
        old = before.get(key, JobTally())
        outcomes = {name: number - old.outcomes.get(name, 0) for name, number in tally.outcomes.items()}
        if any(outcomes.values()):
            found[key] = JobTally(
                {name: number for name, number in outcomes.items() if number},
                [a - b for a, b in zip(tally.pickup, old.pickup, strict=True)],
                [a - b for a, b in zip(tally.run, old.run, strict=True)],
            )
    return found
