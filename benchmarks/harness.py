"""Rounds, figures and their statistics; nothing here touches a server."""

import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Unit = Literal["jobs/s", "records/s", "ms", "s", "bytes"]
Measure = Callable[[], Awaitable[float]]

OURS = "ours"

WARM_UP = 0.1
"""The share of a run's jobs that is not timed: connections are made and caches filled meanwhile."""


@dataclass(frozen=True, slots=True)
class Result:
    """One figure: `value` is the median of `rounds`."""

    name: str
    system: str
    value: float
    unit: Unit
    rounds: tuple[float, ...]

    @classmethod
    def of(cls, name: str, system: str, unit: Unit, rounds: Sequence[float]) -> "Result":
        """Return the figure of one system's rounds."""
        return cls(name, system, statistics.median(rounds), unit, tuple(rounds))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one scenario found: its figures, and the ratios that have a target."""

    results: tuple[Result, ...]
    ratios: Mapping[str, float]


async def interleaved(rounds: int, measures: Mapping[str, Measure]) -> dict[str, list[float]]:
    """Measure each system once a round (A B C, A B C, …), so that what changes on the machine meets them all."""
    figures: dict[str, list[float]] = {system: [] for system in measures}
    for _ in range(rounds):
        for system, measure in measures.items():
            figures[system].append(await measure())
    return figures


def results_of(name: str, unit: Unit, figures: Mapping[str, Sequence[float]]) -> tuple[Result, ...]:
    """Return one result for each system."""
    return tuple(Result.of(name, system, unit, rounds) for system, rounds in figures.items())


def ratio(figures: Mapping[str, Sequence[float]], over: str, under: str) -> float:
    """Return the median of the rounds' ratios: both sides of one round ran within the same minute."""
    pairs = zip(figures[over], figures[under], strict=True)
    return statistics.median(above / below for above, below in pairs)


def best_peer(figures: Mapping[str, Sequence[float]]) -> str:
    """Return the system, other than ours, with the highest median."""
    return max((system for system in figures if system != OURS), key=lambda name: statistics.median(figures[name]))


def percentile(figures: Sequence[float], share: float) -> float:
    """Return the smallest figure that `share` (0 to 1) of all figures do not exceed."""
    ordered = sorted(figures)
    return ordered[max(0, -(-len(ordered) * round(share * 1000) // 1000) - 1)]


class Stopwatch:
    """Turns observations of how many jobs are done into a rate.

    It starts at the first observation with a tenth of `jobs` done and stops at the first with all of them done,
    and counts the jobs between the two. So it is the same for every system, and start-up is not in it.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._start: tuple[float, int] | None = None

    def observe(self, now_s: float, done: int) -> float | None:
        """Note how many jobs were done at an instant; returns jobs per second once all are."""
        if self._start is None:
            if done >= self._jobs * WARM_UP:
                self._start = (now_s, done)
            return None
        if done < self._jobs:
            return None
        started_s, done_before = self._start
        return (done - done_before) / (now_s - started_s)
