"""Rounds, figures and their statistics. This module does not connect to a server."""

import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Unit = Literal["jobs/s", "records/s", "ms", "s", "bytes"]
Measure = Callable[[], Awaitable[float]]

OURS = "ours"

WARM_UP = 0.1
"""The share of a run's jobs that is not timed, while connections are opened and caches are filled."""


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
        """Return the figure for one system's rounds."""
        return cls(name, system, statistics.median(rounds), unit, tuple(rounds))


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results of one scenario: its figures, and the ratios that have a target."""

    results: tuple[Result, ...]
    ratios: Mapping[str, float]


async def interleaved(rounds: int, measures: Mapping[str, Measure]) -> dict[str, list[float]]:
    """Measure each system once per round, so that changes on the machine affect all of them.

    The order turns around with each round (A B C, C B A, …): what one leaves behind, such as a server that still
    writes its files, would otherwise always meet the same other.
    """
    figures: dict[str, list[float]] = {system: [] for system in measures}
    turns = list(measures.items())
    for _ in range(rounds):
        for system, measure in turns:
            figures[system].append(await measure())
        turns.reverse()
    return figures


def results_of(name: str, unit: Unit, figures: Mapping[str, Sequence[float]]) -> tuple[Result, ...]:
    """Return one result for each system."""
    return tuple(Result.of(name, system, unit, rounds) for system, rounds in figures.items())


def ratio(figures: Mapping[str, Sequence[float]], over: str, under: str) -> float:
    """Return the median of the rounds' ratios, because both sides of one round ran within the same minute."""
    pairs = zip(figures[over], figures[under], strict=True)
    return statistics.median(above / below for above, below in pairs)


def best_peer(figures: Mapping[str, Sequence[float]]) -> str:
    """Return the system with the highest median, this project's excluded."""
    return max((system for system in figures if system != OURS), key=lambda name: statistics.median(figures[name]))


def percentile(figures: Sequence[float], share: float) -> float:
    """Return the smallest figure that a share of all figures (0 to 1) does not exceed."""
    ordered = sorted(figures)
    return ordered[max(0, -(-len(ordered) * round(share * 1000) // 1000) - 1)]


class Stopwatch:
    """Computes a rate from observations of how many jobs are done.

    It starts at the first observation with a tenth of `jobs` done, stops at the first observation with all of them
    done, and counts the jobs between the two. So it is the same for every system and excludes start-up.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._start: tuple[float, int] | None = None

    def observe(self, now_s: float, done: int) -> float | None:
        """Record how many jobs were done at a time. Returns jobs per second once all are done, and None before."""
        if self._start is None:
            if done >= self._jobs * WARM_UP:
                self._start = (now_s, done)
            return None
        if done < self._jobs:
            return None
        started_s, done_before = self._start
        return (done - done_before) / (now_s - started_s)
