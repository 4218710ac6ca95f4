"""How many jobs ended in the last 1, 5 and 60 minutes on all workers, and how long they waited and ran.

Each worker adds what has ended to a few hashes in Redis, one for each interval of a window. They expire by
themselves, and reading them costs the same however long the queues are and however many workers there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from redis.asyncio import Redis

from worker.queue.histograms import BUCKETS, percentile
from worker.queue.script_source import script_source

WINDOWS_S = (60, 300, 3600)
"""The windows, in seconds."""
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
"""The percentiles that are shown."""
ENDED = ("complete", "dead", "aborted")
"""The outcomes of a try that end its job."""
# A window is that many whole intervals, and what has passed of another one.
_INTERVALS = 6
_INTERVALS_MS = tuple(window_s * 1000 // _INTERVALS for window_s in WINDOWS_S)
# What one call takes; Lua unpacks no more than some thousands of values.
_MOST_FIELDS = 500
_LONGEST_NAME = 200

JobKey = tuple[str, str]
"""The queue and the function of jobs."""


@dataclass(slots=True)
class JobTally:
    """What ended of one function's jobs on one queue: tries by outcome, histograms of pick-up and of run time."""

    outcomes: dict[str, int] = field(default_factory=dict)
    pickup: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    run: list[int] = field(default_factory=lambda: [0] * BUCKETS)

    @property
    def ended(self) -> int:
        """How many jobs ended."""
        return sum(self.outcomes.get(outcome, 0) for outcome in ENDED)


@dataclass(frozen=True, slots=True)
class Window:
    """What ended within the last `seconds`, of which `covered_s` were looked at."""

    seconds: int
    covered_s: float
    jobs: Mapping[JobKey, JobTally]

    def as_json(self, key: JobKey) -> dict[str, Any]:
        """Return what is known of one function's jobs on one queue."""
        tally = self.jobs.get(key, JobTally())
        return {
            "per_second": round(tally.ended / self.covered_s, 3),
            "outcomes": tally.outcomes,
            "pickup_s": _percentiles(tally.pickup),
            "run_s": _percentiles(tally.run),
        }


class RateStore:
    """The rates of jobs in Redis."""

    def __init__(self, redis: "Redis[bytes]") -> None:
        self._add = redis.register_script(script_source("rates_add"))
        self._read = redis.register_script(script_source("rates_read"))

    async def add(self, jobs: Mapping[JobKey, JobTally]) -> None:
        """Add what has ended since the last call; raises redis-py's errors, and then some of it may be added."""
        added = [pair for key, tally in jobs.items() for pair in _fields(key, tally)]
        for first in range(0, len(added), _MOST_FIELDS):
            flat = [value for pair in added[first : first + _MOST_FIELDS] for value in pair]
            await self._add(keys=[], args=[_INTERVALS, len(_INTERVALS_MS), *_INTERVALS_MS, *flat])

    async def read(self) -> list[Window]:
        """Return the windows. What cannot be read, because another program wrote it, is left out."""
        answers = await self._read(keys=[], args=[_INTERVALS, *_INTERVALS_MS])
        return [
            Window(seconds, covered_ms / 1000, _tallies(values))
            for seconds, (covered_ms, *values) in zip(WINDOWS_S, answers, strict=True)
        ]


def _fields(key: JobKey, tally: JobTally) -> list[tuple[bytes, int]]:
    numbers = [("outcome", outcome, number) for outcome, number in tally.outcomes.items()]
    numbers += [("pickup", str(bucket), number) for bucket, number in enumerate(tally.pickup)]
    numbers += [("run", str(bucket), number) for bucket, number in enumerate(tally.run)]
    return [(orjson.dumps([*key, kind, name]), number) for kind, name, number in numbers if number]


def _tallies(values: Sequence[bytes]) -> dict[JobKey, JobTally]:
    tallies: dict[JobKey, JobTally] = {}
    for stored, number in zip(values[::2], values[1::2], strict=True):
        match _parsed(stored):
            case [str(queue), str(function), "outcome", str(name)]:
                tally = tallies.setdefault((queue, function), JobTally())
                tally.outcomes[name[:_LONGEST_NAME]] = int(number)
            case [str(queue), str(function), "pickup" | "run" as kind, str(name)] if _is_bucket(name):
                tally = tallies.setdefault((queue, function), JobTally())
                (tally.run if kind == "run" else tally.pickup)[int(name)] = int(number)
    return tallies


def _parsed(stored: bytes) -> Any:
    try:
        return orjson.loads(stored)
    except orjson.JSONDecodeError:
        return None


def _is_bucket(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 4 and int(name) < BUCKETS


def _percentiles(buckets: Sequence[int]) -> dict[str, float | None]:
    found = {name: percentile(buckets, share) for name, share in SHARES.items()}
    return {name: None if value is None else round(value, 4) for name, value in found.items()}
