"""Shared by all scenarios of one run: the servers, the size of the run, and the draining of a queue."""

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
"""The number of concurrent jobs of every asynchronous system, and of concurrent operations of the bare loops."""

POLL_S = 0.005
"""The interval at which Redis is polled for progress."""
_STUCK_S = 60.0


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a run: `rounds` of each measurement, and the share of a full run's jobs."""

    rounds: int
    share: float

    def jobs(self, full: int) -> int:
        """Return the number of jobs of this run if a full run has `full` jobs."""
        return round(full * self.share)


FULL = Size(rounds=5, share=1)
QUICK = Size(rounds=1, share=0.2)


@dataclass(frozen=True, slots=True)
class Bench:
    """One run; `folder` receives logs and files."""

    servers: EmbeddedServers
    mongo: MongoHandle
    folder: Path
    size: Size
    _numbers: "count[int]" = field(default_factory=count)

    @property
    def redis_url(self) -> str:
        """The URL of the private Redis."""
        return self.servers.redis.url

    def process(self, *arguments: str, **environment: str) -> Process:
        """Return a Python process with the run's servers in its environment; `environment` takes precedence."""
        variables = {**self.servers.environment(), "WORKER_MAX_JOBS": str(CONCURRENCY), **environment}
        return Process(arguments, variables, self.folder / f"{next(self._numbers)}.log")

    async def clear(self) -> None:
        """Delete all data from both servers."""
        async with connect(self.redis_url) as redis:
            await redis.flushall()
        for name in await self.mongo.database.list_collection_names():
            await self.mongo.database[name].delete_many({})

    async def bare_loop(self, operation: str, argument: int | Path) -> float:
        """Return the operations per second of a loop over the driver, in a separate process."""
        async with self.process("-m", "benchmarks.driver", operation, str(argument)) as process:
            return float(await process.output())


def connect(redis_url: str) -> ArqRedis:
    """Return a client like that of this project's producer."""
    return open_arq_redis(load_settings(redis_url=redis_url), Codec())


async def until(poll: Callable[[], Awaitable[T | None]], failure: str) -> T:
    """Poll until there is a result. Raises `BenchmarkError` with `failure` if there is none for a minute."""
    try:
        async with asyncio.timeout(_STUCK_S):
            while True:
                result = await poll()
                if result is not None:
                    return result
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise BenchmarkError(failure) from None


async def settle(redis: ArqRedis) -> None:
    """Wait until Redis is not rewriting its append-only file: filling a queue starts that, and it takes a core."""

    async def no_rewrite() -> Literal[True] | None:
        return None if (await redis.info("persistence"))["aof_rewrite_in_progress"] else True

    await until(no_rewrite, "Redis has been rewriting its append-only file for a minute")


async def queue_length(redis: ArqRedis) -> int:
    """Return how many jobs of this project are waiting or running on the default queue."""
    return int(await redis.zcard(DEFAULT_QUEUE))


async def drain(process: Process, jobs: int, unfinished: Callable[[], Awaitable[int]]) -> float:
    """Start a worker and return the jobs per second that it completed, as seen in Redis.

    Waits until `jobs` of the jobs that `unfinished` counts are completed. Raises `BenchmarkError` if the worker
    exits, or if it completes no job for a minute.
    """
    waiting = await unfinished()
    stopwatch = Stopwatch(jobs)
    async with process:
        progress_at, seen = time.perf_counter(), 0
        while True:
            process.check()
            done = waiting - await unfinished()
            now = time.perf_counter()
            rate = stopwatch.observe(now, done)
            if rate is not None:
                return rate
            if done != seen:
                progress_at, seen = now, done
            elif now - progress_at > _STUCK_S:
                raise process.failure(f"completed {done} of {jobs} jobs and makes no progress")
            await asyncio.sleep(POLL_S)
