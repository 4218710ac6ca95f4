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
    """A queue for one test, with workers of one class in this process, used as arq's documentation describes."""

    until = staticmethod(until)

    def __init__(self, server: EmbeddedRedis, worker_class: type[Worker]) -> None:
        self.worker_class = worker_class
        self.settings = RedisSettings.from_dsn(server.url)
        self.queue = f"contract-{next(_numbers)}"
        # A job's keys do not contain its queue's name, so job ids must differ between tests.
        self._ids = itertools.count(1)
        self.redis: ArqRedis

    async def use_serializers(self, **serializers: Any) -> None:
        """Use these serializers from now on to enqueue jobs and read results."""
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
        # arq's worker raises from `close` if it is cancelled while it claims or stores a job.
        await self.until(lambda: all(job.done() or name in worker.job_tasks for name, job in worker.tasks.items()))
        with warnings.catch_warnings():
            # arq closes its pool with a method that redis-py has deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            await worker.close()
        if task is not None:
            # Repeated, because a cancellation during a connection attempt can be swallowed.
            await self.until(lambda: not task.cancel())
            await asyncio.gather(task, return_exceptions=True)
        if not isinstance(worker, LeaseWorker):
            # Collect the connections that arq's worker leaves open here, not during the next test.
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

    async def wait_for_result(self, job: Job) -> JobResult:
        """Wait until the job has a result, and return it."""
        info = await self.until(job.result_info)
        assert isinstance(info, JobResult)
        return info

    async def wait_for_failure(self, job: Job) -> str:
        """Wait until the job has failed; return the error's class and, if it is a `RemoteError`, its message."""
        info = await self.wait_for_result(job)
        assert not info.success
        if isinstance(info.result, RemoteError):
            return f"{info.result.kind}: {info.result.message}"
        return type(info.result).__name__

    async def wait_for_status(self, job: Job, status: JobStatus) -> None:
        async def reached() -> bool:
            return await job.status() is status

        await self.until(reached)


# arq's worker leaves its connection open if it is cancelled during a command.
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
async def isolated_bench(worker_class: type[Worker]) -> AsyncIterator[Bench]:
    """A bench with its own Redis, for tests that read all results in it."""
    async with EmbeddedRedis() as server:
        bench = Bench(server, worker_class)
        bench.redis = await bench.open()
        yield bench
        await bench.redis.aclose(close_connection_pool=True)
