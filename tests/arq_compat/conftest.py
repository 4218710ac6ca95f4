import asyncio
import gc
import itertools
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.jobs import Job, JobResult, JobStatus
from arq.worker import Worker

from tests.support.waiting import until
from worker.codec import Codec
from worker.embedded import EmbeddedRedis
from worker.engine.worker import LeaseWorker
from worker.errors import RemoteError

WORKER_CLASSES = {"stock": Worker, "leases": LeaseWorker}

_numbers = itertools.count(1)
_codec = Codec()


class Bench:
    """A queue of one test's own, with workers of one class in this process, used as arq's documentation has it."""

    until = staticmethod(until)

    def __init__(self, server: EmbeddedRedis, worker_class: type[Worker]) -> None:
        self.worker_class = worker_class
        self.settings = RedisSettings.from_dsn(server.url)
        self.queue = f"contract-{next(_numbers)}"
        # Keys of jobs bear no queue's name, so ids must differ between tests.
        self._ids = itertools.count(1)
        self.redis: ArqRedis

    async def speak(self, **serializers: Any) -> None:
        """Enqueue and read with these serializers from now on."""
        await self.redis.aclose(close_connection_pool=True)
        self.redis = await self.open(**serializers)

    async def open(self, **options: Any) -> ArqRedis:
        defaults: dict[str, Any] = {"job_serializer": _codec.encode, "job_deserializer": _codec.decode}
        return await create_pool(self.settings, default_queue_name=self.queue, **(defaults | options))

    def worker(self, *functions: Any, worker_class: type[Worker] | None = None, **options: Any) -> Worker:
        return (worker_class or self.worker_class)(functions, **(self.worker_options() | options))

    def worker_options(self) -> dict[str, Any]:
        return {
            "queue_name": self.queue,
            "redis_settings": self.settings,
            "job_serializer": _codec.encode,
            "job_deserializer": _codec.decode,
            "poll_delay": 0.02,
            "handle_signals": False,
        }

    @asynccontextmanager
    async def serving(self, *functions: Any, **options: Any) -> AsyncIterator[Worker]:
        worker = self.worker(*functions, **options)
        task = asyncio.create_task(worker.async_run())
        try:
            yield worker
        finally:
            await self.close(worker, task)

    async def burst(self, *functions: Any, **options: Any) -> Worker:
        """Run a worker until the queue is empty."""
        worker = self.worker(*functions, burst=True, **options)
        await worker.async_run()
        await self.close(worker)
        return worker

    async def close(self, worker: Worker, task: "asyncio.Task[None] | None" = None) -> None:
        # Cancelled while it claims or stores a job, arq's worker raises from its `close`.
        await self.until(lambda: all(job.done() or name in worker.job_tasks for name, job in worker.tasks.items()))
        with warnings.catch_warnings():
            # arq closes its pool by a name that redis-py calls old.
            warnings.simplefilter("ignore", DeprecationWarning)
            await worker.close()
        if task is not None:
            # Again and again, because a cancellation that meets a connection attempt can be swallowed.
            await self.until(lambda: not task.cancel())
            await asyncio.gather(task, return_exceptions=True)
        if not isinstance(worker, LeaseWorker):
            # What it leaves open is collected here and not in the next test.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                del task
                gc.collect()

    def new_id(self) -> str:
        return f"{self.queue}-job-{next(self._ids)}"

    async def enqueue(self, function: str, *args: Any, **options: Any) -> Job:
        job = await self.redis.enqueue_job(function, *args, **({"_job_id": self.new_id()} | options))
        assert job is not None
        return job

    async def ended(self, job: Job) -> JobResult:
        """How a job ended, waited for."""
        info = await self.until(job.result_info)
        assert isinstance(info, JobResult)
        return info

    async def failure(self, job: Job) -> str:
        """Why a job failed, waited for: the class of the error and its message."""
        info = await self.ended(job)
        assert not info.success
        if isinstance(info.result, RemoteError):
            return f"{info.result.kind}: {info.result.message}"
        return type(info.result).__name__

    async def has_status(self, job: Job, status: JobStatus) -> None:
        async def reached() -> bool:
            return await job.status() is status

        await self.until(reached)


# Cancelled within a command, arq's worker leaves its connection open.
_LEAVES_CONNECTIONS = pytest.mark.filterwarnings("ignore:(?i)unclosed:ResourceWarning")


@pytest.fixture(params=[pytest.param("stock", marks=_LEAVES_CONNECTIONS), "leases"])
def worker_class(request: pytest.FixtureRequest) -> type[Worker]:
    return WORKER_CLASSES[request.param]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_redis() -> AsyncIterator[EmbeddedRedis]:
    async with EmbeddedRedis() as server:
        yield server


@pytest_asyncio.fixture
async def bench(shared_redis: EmbeddedRedis, worker_class: type[Worker]) -> AsyncIterator[Bench]:
    bench = Bench(shared_redis, worker_class)
    bench.redis = await bench.open()
    yield bench
    await bench.redis.aclose(close_connection_pool=True)


@pytest_asyncio.fixture
async def own_bench(worker_class: type[Worker]) -> AsyncIterator[Bench]:
    """A bench on a Redis of its own, for what looks at all results there are."""
    async with EmbeddedRedis() as server:
        bench = Bench(server, worker_class)
        bench.redis = await bench.open()
        yield bench
        await bench.redis.aclose(close_connection_pool=True)
