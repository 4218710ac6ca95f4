import asyncio
import functools
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest_asyncio
from typer.testing import CliRunner

from tests.acceptance.conftest import Finished
from worker.cli import app
from worker.codec import Codec
from worker.contract import DEFAULT_QUEUE
from worker.embedded import EmbeddedRedis
from worker.engine.arq_redis import open_arq_redis
from worker.errors import RemoteError
from worker.queue import keys
from worker.queue.batches import BatchStore
from worker.queue.claim import ClaimedJob
from worker.queue.completion import Completion
from worker.queue.dead_letter import DeadLetter, Failure
from worker.queue.heartbeats import Heartbeat, redis_time, write_heartbeat
from worker.queue.scripts import Enqueue, Scripts
from worker.settings import load_settings

WORKER = "vm:8903:e6a774"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \((in )?\d+ (?:s|min|h|days)(?: ago)?\)")


class Planted:
    """A Redis of one test, in which the real scripts bring jobs into their states, and the real command."""

    codec = Codec()

    def __init__(self, url: str) -> None:
        # The history has tests of its own.
        self.environment = {"REDIS_URL": url, "REDIS_TIMEOUT": "2", "WORKER_HISTORY_DAYS": "0"}
        self.redis = open_arq_redis(load_settings(redis_url=url, redis_timeout=2), self.codec)
        self.scripts = Scripts(self.redis)
        self.batches = BatchStore(self.redis)

    async def enqueue(
        self, job_id: str, *, delay_ms: int = 0, batch: str = "", queue: str = DEFAULT_QUEUE, **fields: Any
    ) -> None:
        now_ms = int((await redis_time(self.redis)).timestamp() * 1000)
        message = {"t": None, "f": "ingest_hospital", "a": ["a patient"], "k": {}, "et": now_ms, **fields}
        await self.scripts.enqueue([Enqueue(job_id, queue, self.codec.encode(message), delay_ms)], batch)

    async def claim(self, worker: str = WORKER) -> ClaimedJob:
        """Claim the one job that is due."""
        (job,) = (await self.scripts.claim(f"{worker}:1", 60_000, 1, [(DEFAULT_QUEUE, 1)])).jobs
        return job

    async def finish(self, job: ClaimedJob, action: Any, worker: str = WORKER, **values: Any) -> None:
        completion = Completion(job.job_id, job.queue, f"{worker}:1", action, **values)
        assert await self.scripts.finish([completion]) == [True]

    async def end(self, job: ClaimedJob, value: object, *, success: bool) -> None:
        """Store a result as a worker does."""
        now_ms = int((await redis_time(self.redis)).timestamp() * 1000)
        message = {"t": 1, "f": "ingest_hospital", "a": [], "k": {}, "et": now_ms, "s": success, "r": value}
        result = self.codec.encode({**message, "st": now_ms, "ft": now_ms, "q": DEFAULT_QUEUE})
        await self.finish(job, "done", result=result, result_life_ms=60_000)

    async def die(self, job: ClaimedJob) -> None:
        failure = Failure(type="InvalidPayload", message="a patient", tries=1, at_ms=1)
        letter = DeadLetter(
            job_id=job.job_id.decode(), function="ingest_hospital", queue=job.queue, payload_bytes=9, crashes=0,
            reason="permanent error", failure=failure, worker=WORKER,
        )  # fmt: skip
        # The error is kept as a result too.
        message = {"t": 1, "f": "ingest_hospital", "a": [], "k": {}, "et": 1, "s": False, "r": RemoteError("E", "")}
        result = self.codec.encode({**message, "st": 1, "ft": 1, "q": DEFAULT_QUEUE})
        await self.finish(job, "dead", record=letter.stored(), tries="move", result=result, result_life_ms=60_000)

    async def heartbeat(self, worker: str = WORKER, **values: Any) -> None:
        now = await redis_time(self.redis)
        given = {
            "worker": worker, "host": "vm", "pid": 8903, "ready": True, "queues": [DEFAULT_QUEUE], "slots": 300,
            "running": 0, "complete": 0, "retried": 0, "failed": 0, "started_at": now, "at": now,
        }  # fmt: skip
        await write_heartbeat(self.redis, Heartbeat(**{**given, **values}))

    async def let_lease_end(self, job_id: str) -> None:
        """Expire a lease, as if its owner had died."""
        await self.redis.delete(keys.IN_PROGRESS + job_id)
        expired_ms = int((await redis_time(self.redis)).timestamp() * 1000) - 1
        for key in (DEFAULT_QUEUE, DEFAULT_QUEUE + keys.LEASED_SUFFIX):
            await self.redis.zadd(key, {job_id: expired_ms}, xx=True)

    async def command(self, *arguments: str, **environment: str) -> Finished:
        """Run `hospital-worker` in a thread of this process."""
        variables = {**self.environment, **environment}
        invoke = functools.partial(CliRunner().invoke, app, arguments, env=variables, catch_exceptions=False)
        done = await asyncio.to_thread(invoke)
        return Finished(done.exit_code, done.stdout, done.stderr)

    async def explained(self, job_id: str, **environment: str) -> tuple[str, str]:
        """Return the state and the reason that `jobs explain` prints; instants as `IN` and `AGO`."""
        done = await self.command("jobs", "explain", job_id, "--json", **environment)
        shown = json.loads(done.out)
        assert (done.code, done.err) == (1 if shown["state"] == "unknown" else 0, "")
        assert "patient" not in done.out
        assert shown["change"]
        return shown["state"], _INSTANT.sub(lambda found: "IN" if found[1] else "AGO", shown["reason"])


@asynccontextmanager
async def planting() -> AsyncIterator[Planted]:
    async with EmbeddedRedis() as server:
        bench = Planted(server.url)
        yield bench
        await bench.redis.aclose(close_connection_pool=True)


@pytest_asyncio.fixture
async def planted() -> AsyncIterator[Planted]:
    async with planting() as bench:
        yield bench
