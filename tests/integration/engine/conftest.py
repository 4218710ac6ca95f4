import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest_asyncio
from arq.connections import ArqRedis
from arq.jobs import Job
from arq.worker import func

from tests.support.waiting import until
from worker.codec import Codec
from worker.embedded import EmbeddedRedis
from worker.engine.arq_redis import open_arq_redis
from worker.engine.worker import LeaseWorker
from worker.errors import JobNotFound
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter
from worker.queue.dead_letter_store import DeadLetterNotFound, DeadLetterStore
from worker.queue.heartbeats import ready_workers
from worker.queue.scripts import Enqueue, Scripts
from worker.settings import load_settings

_numbers = itertools.count(1)


class Gate:
    """A job that records its runs and then waits until the gate is open."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.tries: list[int] = []
        self.open = asyncio.Event()

    def function(self, **options: Any) -> Any:
        async def gated(ctx: dict[str, Any]) -> str:
            self.running.append(ctx["job_id"])
            self.tries.append(ctx["job_try"])
            await self.open.wait()
            return "through"

        return func(gated, name="gated", **options)


class Bench:
    """Queues that no other test uses, on a real Redis, with workers in this process."""

    until = staticmethod(until)

    def __init__(self, url: str) -> None:
        self.settings = load_settings(redis_url=url, redis_timeout=1, worker_lease=2)
        self.redis = self.open()
        self.scripts = Scripts(self.redis)
        self.dead_letters = DeadLetterStore(self.redis)
        number = next(_numbers)
        self.queue, self.bulk = f"queue-{number}", f"bulk-{number}"
        self._job_numbers = itertools.count(1)

    def open(self) -> ArqRedis:
        return open_arq_redis(self.settings, Codec())

    def worker(self, *functions: Any, **options: Any) -> LeaseWorker:
        async def opened() -> ArqRedis:
            return self.open()

        defaults: dict[str, Any] = {
            "queues": {self.queue: options.get("max_jobs", 20)},
            "lease": 2,
            "poll_delay": 0.1,
            "max_jobs": 20,
            "job_timeout": 30,
            "handle_signals": False,
            "allow_abort_jobs": True,
            "open_redis": opened,
        }
        return LeaseWorker(functions, **(defaults | options))

    @asynccontextmanager
    async def serving(self, *functions: Any, **options: Any) -> AsyncIterator[LeaseWorker]:
        """Run a worker that takes jobs; fail if it ends before the test stops it."""
        worker = self.worker(*functions, **options)
        task = asyncio.create_task(worker.async_run())
        try:
            await self.until(lambda: self.is_ready(worker))
            yield worker
            assert not task.done(), "the worker ended before the test stopped it"
        finally:
            await worker.close()
            await asyncio.gather(task, return_exceptions=True)

    async def burst(self, *functions: Any, **options: Any) -> LeaseWorker:
        """Run a worker until the queues are empty."""
        worker = self.worker(*functions, burst=True, **options)
        await worker.async_run()
        await worker.close()
        return worker

    async def is_ready(self, worker: LeaseWorker) -> bool:
        return worker.worker_id in {heartbeat.worker for heartbeat in await ready_workers(self.redis)}

    def envelope(self, function: str, *args: Any, **fields: Any) -> bytes:
        message: dict[str, Any] = {
            "t": None,
            "f": function,
            "a": list(args),
            "k": {},
            "et": int(time.time() * 1000),
        }
        return Codec().encode(message | fields)

    async def put(
        self, function: str, *args: Any, job_id: str = "", queue: str = "", delay_ms: int = 0, **fields: Any
    ) -> str:
        job_id = job_id or f"{self.queue}-job-{next(self._job_numbers)}"
        job = Enqueue(job_id, queue or self.queue, self.envelope(function, *args, **fields), delay_ms)
        await self.scripts.enqueue([job])
        return job_id

    async def put_raw(self, job_id: str | bytes, payload: bytes | None) -> None:
        """Write a job without the enqueue script, as another program might."""
        if payload is not None:
            stored = job_id.encode() if isinstance(job_id, str) else job_id
            await self.redis.set(b"arq:job:" + stored, payload)
        await self.redis.zadd(self.queue, {job_id: 1})

    def job(self, job_id: str) -> Job:
        return Job(job_id, self.redis, _queue_name=self.queue, _deserializer=Codec().decode)

    async def result(self, job_id: str, seconds: float = 10) -> dict[str, Any]:
        """Wait for the result message of a job and return it."""
        data = await self.until(lambda: self.redis.get(keys.RESULT + job_id), seconds)
        return Codec().decode(data)

    async def outcome(self, job_id: str, seconds: float = 10) -> Any:
        message = await self.result(job_id, seconds)
        if not message["s"]:
            raise JobNotFound(f"{job_id} failed: {message['r']}")
        return message["r"]

    async def dead_letter(self, job_id: str, seconds: float = 10) -> DeadLetter:
        """Wait for the dead letter of a job and return it."""

        async def find() -> DeadLetter | None:
            try:
                return await self.dead_letters.get(job_id)
            except DeadLetterNotFound:
                return None

        dead_letter: DeadLetter = await self.until(find, seconds)
        return dead_letter

    async def is_settled(self, job_id: str) -> bool:
        """Whether Redis holds nothing of a job except its result or its dead letter."""
        left = await self.redis.exists(keys.JOB + job_id, keys.IN_PROGRESS + job_id, keys.TRIES + job_id)
        marks = [await self.redis.hexists(name, job_id) for name in (keys.LEASES, keys.CRASHES)]
        places = [await self.redis.zscore(name, job_id) for name in (self.queue, self.queue + keys.LEASED_SUFFIX)]
        return not left and not any(marks) and places == [None, None]


@pytest_asyncio.fixture
async def bench(redis_server: EmbeddedRedis) -> AsyncIterator[Bench]:
    bench = Bench(redis_server.url)
    yield bench
    await bench.redis.aclose(close_connection_pool=True)


@pytest_asyncio.fixture
async def own_bench(own_redis: EmbeddedRedis) -> AsyncIterator[Bench]:
    bench = Bench(own_redis.url)
    yield bench
    await bench.redis.aclose(close_connection_pool=True)
