"""A producer that runs jobs in the process of the tests: the real job functions, on a private MongoDB."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Self

import arq.worker
from pymongo import monitoring
from pymongo.database import Database
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from producers.own_loop import OwnLoop
from producers.testing.memory_queue import MemoryProducer, MemoryQueue
from producers.testing.private_mongo import PrivateMongo
from producers.testing.stored_batches import StoredBatchRun
from producers.testing.stored_jobs import StoredJob
from worker.errors import (
    ConfigurationError,
    ConflictError,
    JobNotFound,
    OperationRefused,
    OutageError,
    TransientError,
)
from worker.escaping import escape
from worker.jobs import JOB_FUNCTIONS
from worker.jobs.context import CONTEXT_KEY, WorkerContext
from worker.mongo.client import open_mongo
from worker.mongo.registrations import Registrations
from worker.mongo.schema import ensure_schema
from worker.settings import load_settings

JobFunction = Callable[..., Coroutine[Any, Any, Any]]

RETRIED = (
    OutageError,
    ConflictError,
    TransientError,
    OperationRefused,
    OSError,
    RedisConnectionError,
    RedisTimeoutError,
    arq.worker.Retry,
    arq.worker.RetryJob,
)
"""After one of these a worker runs a job again; after any other error the job is a dead letter at once."""


class _InlineQueue(MemoryQueue):
    def __init__(
        self,
        mongodb_url: str,
        database: str,
        functions: Iterable[JobFunction],
        listeners: Iterable[monitoring.CommandListener],
    ) -> None:
        super().__init__()
        self._functions: Mapping[str, JobFunction] = {it.__name__: it for it in (*JOB_FUNCTIONS, *functions)}
        self._listeners = tuple(listeners)
        self._mongo_settings = load_settings(
            redis_url="redis://in.memory", mongodb_url=mongodb_url, mongodb_database=database
        )
        self._context: WorkerContext
        # Not the caller's event loop, which differs from test to test: the client belongs to one.
        self._loop = OwnLoop(self._close_mongo)
        self._loop.run(self._open_mongo)

    async def _open_mongo(self) -> None:
        mongo = open_mongo(self._mongo_settings, self._listeners)
        self._context = WorkerContext(self._mongo_settings, mongo, Registrations(mongo))
        await ensure_schema(mongo)

    async def _close_mongo(self) -> None:
        await self._context.mongo.close()

    def stop(self) -> None:
        self._loop.close()

    async def run(self, job: StoredJob) -> None:
        if job.message["f"] not in self._functions:
            name = escape(job.message["f"])
            raise ConfigurationError(f"no function {name}: give yours to InlineProducer(…, functions=[{name}])")
        job.start()
        batch = StoredBatchRun(job.batch, self.batches) if job.batch else None
        try:
            outcome = await self.call(job, batch)
        except RETRIED:
            job.wait()
        except Exception as error:  # noqa: BLE001 (a job may raise anything; its receipt raises it)
            self.kill(job, error)
        except BaseException:
            job.wait()
            raise
        else:
            job.counts = batch.counts if batch is not None else {}
            self.end(job, outcome)

    async def call(self, job: StoredJob, batch: StoredBatchRun | None) -> Any:
        """Call the function of a job, as a worker does; returns what it returns."""
        function = self._functions[job.message["f"]]
        ctx = {
            CONTEXT_KEY: self._context,
            "job_id": job.job_id,
            "job_try": max(1, job.view.tries),
            "enqueue_time": datetime.fromtimestamp(job.message["et"] / 1000, UTC),
        } | ({} if batch is None else {"batch": batch})
        return await asyncio.to_thread(self._loop.run, lambda: function(ctx, *job.message["a"], **job.message["k"]))

    async def run_waiting(self) -> int:
        waiting = [job for job in self.stored.all.values() if job.waits]
        for job in waiting:
            await self._run(job)
        return len(waiting)


class InlineProducer(MemoryProducer):
    """A `HospitalProducer` whose jobs have run when the call that enqueues them returns.

    They run one after the other, with a database of their own on a private MongoDB, in the event loop of a
    background thread. Their `ctx` has `job_id`, `job_try`, `enqueue_time`, in a batch `batch`, and the client that
    the jobs of a worker share; not `redis`. `functions` are jobs of your own, `listeners` are for that client.

    A job that a worker would retry, and a deferred one, waits until `run_waiting`. A worker's timeouts, circuit
    breaker and hooks are left out: try these with a worker.
    """

    def __init__(
        self,
        mongo: PrivateMongo,
        *,
        functions: Iterable[JobFunction] = (),
        listeners: Iterable[monitoring.CommandListener] = (),
    ) -> None:
        self.database: Database[dict[str, Any]] = mongo.new_database()
        """The registry's database, by a blocking client: `database["hospitals"]`, `database["logs"]`."""
        self._inline = _InlineQueue(mongo.url, self.database.name, functions, listeners)
        super().__init__(self._inline)

    async def run_waiting(self) -> int:
        """Run the jobs that wait, deferred ones too, once each; returns how many there were."""
        return await self._inline.run_waiting()

    async def deliver_again(self, job_id: str) -> Any:
        """Run a job once more that has ended, as a worker may; returns what it returns, and stores no outcome.

        An idempotent job returns the same as before, and changes nothing. Raises what the job raises, and
        `JobNotFound` for a job that was never enqueued.
        """
        job = self._inline.stored.all.get(job_id)
        if job is None:
            raise JobNotFound(f"{escape(job_id)}: no such job was enqueued")
        return await self._inline.call(job, StoredBatchRun(job.batch, self._inline.batches) if job.batch else None)

    def stop(self) -> None:
        """Close the connections to MongoDB and remove the database; `close`, which a service calls, keeps both."""
        self._inline.stop()
        self.database.client.drop_database(self.database.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
