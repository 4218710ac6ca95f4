"""What all scenarios of one run share: the servers, the size of the run, and how a queue is drained."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Literal, TypeVar

from arq.connections import ArqRedis

from benchmarks.errors import BenchmarkError
from benchmarks.harness import Stopwatch
from benchmarks.processes import Process
from worker.codec import Codec
from worker.contract import DEFAULT_QUEUE
from worker.embedded import EmbeddedServers
from worker.engine.arq_redis import open_arq_redis
from worker.mongo.client import MongoHandle
from worker.settings import load_settings

T = TypeVar("T")

CONCURRENCY = 300
"""Jobs at once for every asynchronous system, and operations at once of the bare loops."""

LOOK_S = 0.005
"""How often Redis is asked how far things are."""
_STUCK_S = 60.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much is run: `rounds` of each measurement, and a share of the jobs of a full run."""

    rounds: int
    share: float

    def jobs(self, full: int) -> int:
        """Return how many jobs this run takes where a full one takes `full`."""
        return round(full * self.share)


FULL = Size(rounds=5, share=1)
QUICK = Size(rounds=1, share=0.2)


@dataclass(frozen=True, slots=True)
class Bench:
    """One run; `folder` takes logs and files."""

    servers: EmbeddedServers
    mongo: MongoHandle
    folder: Path
    size: Size
    _numbers: "count[int]" = field(default_factory=count)

    @property
    def redis_url(self) -> str:
        """The private Redis."""
        return self.servers.redis.url

    def process(self, *arguments: str, **environment: str) -> Process:
        """Return a Python process that finds the run's servers in its environment; `environment` comes first."""
        variables = {**self.servers.environment(), "WORKER_MAX_JOBS": str(CONCURRENCY), **environment}
        return Process(arguments, variables, self.folder / f"{next(self._numbers)}.log")

    async def clear(self) -> None:
        """Empty both servers."""
        async with connect(self.redis_url) as redis:
            await redis.flushall()
        await self.mongo.hospitals.delete_many({})
        await self.mongo.logs.delete_many({})

    async def bare_loop(self, operation: str, argument: int | Path) -> float:
        """Return the operations per second of a loop over the driver, in a process of its own."""
        async with self.process("-m", "benchmarks.driver", operation, str(argument)) as process:
            return float(await process.output())


def connect(redis_url: str) -> ArqRedis:
    """Return a client as a producer of ours has it."""
    return open_arq_redis(load_settings(redis_url=redis_url), Codec())


async def until(asked: Callable[[], Awaitable[T | None]], failure: str) -> T:
    """Ask until there is an answer. Raises `BenchmarkError` with `failure` if there is none for a minute."""
    try:
        async with asyncio.timeout(_STUCK_S):
            while True:
                answer = await asked()
                if answer is not None:
                    return answer
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise BenchmarkError(failure) from None


async def settle(redis: ArqRedis) -> None:
    """Wait until Redis does not rewrite its file: filling a queue makes it do so, and it takes a core."""

    async def quiet() -> Literal[True] | None:
        return None if (await redis.info("persistence"))["aof_rewrite_in_progress"] else True

    await until(quiet, "Redis has been rewriting its append-only file for a minute")


async def queue_length(redis: ArqRedis) -> int:
    """Return how many jobs of ours are waiting or running on the default queue."""
    return int(await redis.zcard(DEFAULT_QUEUE))


async def drain(process: Process, jobs: int, unfinished: Callable[[], Awaitable[int]]) -> float:
    """Start a worker and return the jobs per second that it did, as seen in Redis.

    `jobs` of those that `unfinished` counts are waited for. Raises `BenchmarkError` if the worker ends by
    itself, or for a minute nothing is done.
    """
    waiting = await unfinished()
    stopwatch = Stopwatch(jobs)
    async with process:
        moved_at, seen = time.perf_counter(), 0
        while True:
            process.check()
            done = waiting - await unfinished()
            now = time.perf_counter()
            rate = stopwatch.observe(now, done)
            if rate is not None:
                return rate
            if done != seen:
                moved_at, seen = now, done
            elif now - moved_at > _STUCK_S:
                raise process.failure(f"did {done} of {jobs} jobs and stands still")
            await asyncio.sleep(LOOK_S)
