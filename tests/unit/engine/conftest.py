"""What the tests of the engine's parts share: a Redis inside this process, makers of facts, and small doubles."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from types import ModuleType, SimpleNamespace
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from arq.connections import ArqRedis
from fakeredis import FakeAsyncRedis, FakeServer

from worker.codec import Codec
from worker.engine.circuit_breaker import CircuitBreaker
from worker.engine.clock import RedisClock
from worker.engine.completer import Completer
from worker.engine.context import EngineContext
from worker.engine.events import Events, JobOutcome, TryEnded
from worker.engine.memory_watch import MemoryWatch
from worker.engine.options import JobFunction, JobOptions
from worker.engine.pauses import Pauses
from worker.engine.redis_health import RedisHealth
from worker.engine.retry_policy import Trouble
from worker.queue.claim import ClaimedJob
from worker.queue.scripts import Scripts
from worker.redis.limits import ValueLimit

Kind = TypeVar("Kind")

QUEUE = "queue"
OUTAGE = Trouble("MongoDB is unavailable", is_shared=True)
WORKER_ID = "worker-1"


class KeptEvents(Events):
    """Events that are kept in the order in which they were sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[object] = []

    def send(self, event: object) -> None:
        self.sent.append(event)
        super().send(event)

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.sent if isinstance(event, kind)]


class NotedHealth(RedisHealth):
    """Notes which calls failed and how many succeeded, and does not wait after a failure."""

    def __init__(self) -> None:
        super().__init__(Events())
        self.failures: list[Exception] = []
        self.answers = 0

    async def failed(self, error: Exception) -> None:
        self.failures.append(error)
        await asyncio.sleep(0)

    def answered(self) -> None:
        self.answers += 1


class NotedLimit(ValueLimit):
    """A limit that the test sets; Redis does not answer unless the test says that it does."""

    answers = False
    reads = 0
    memory = 2_000_000

    async def read(self) -> bool:
        self.reads += 1
        return self.answers

    async def read_memory(self) -> int:
        return self.memory


def open_client(server: FakeServer) -> ArqRedis:
    """Return arq's client on a Redis inside this process."""
    codec = Codec()
    pool = FakeAsyncRedis(server=server).connection_pool
    return ArqRedis(pool, job_serializer=codec.encode, job_deserializer=codec.decode)


def claimed(
    job_id: bytes = b"job", queue: str = QUEUE, *, score: float = 1.0, crashes: int = 0, payload: bytes = b"payload"
) -> ClaimedJob:
    return ClaimedJob(job_id, queue, score, tries=1, crashes=crashes, abort_ms=-1, problem="", payload=payload)


def envelope(function: str, *args: Any) -> bytes:
    """Return the message of a job that calls `function`."""
    now_ms = time.time_ns() // 1_000_000
    return Codec().encode({"t": None, "f": function, "a": list(args), "k": {}, "et": now_ms})


def finished(outcome: JobOutcome = "complete", job_id: str = "job", function: str = "function") -> TryEnded:
    return TryEnded(job_id, function, QUEUE, outcome, tries=1, pickup_s=0.0, run_s=0.0)


class Clock:
    """Monotonic seconds that go on when the test says."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def stop_all(breaker: CircuitBreaker, *functions: str) -> None:
    """Report outages to a breaker until all claims are stopped; `functions` are those that it knows of."""
    for function in ("amend", "ingest", "ingest", *functions):
        breaker.failed(function, OUTAGE, breaker.era)


async def _not_called(ctx: Any) -> None: ...


def job_options(**changes: Any) -> JobOptions:
    """Return options of a worker that serves until it is stopped."""
    values: dict[str, Any] = {
        "functions": {},
        "unknown": JobFunction(coroutine=_not_called, max_tries=5, timeout_s=300, result_life_ms=3_600_000),
        "context": {},
        "serializer": None,
        "deserializer": None,
        "max_jobs": 10,
        "retry_jobs": True,
        "allow_abort_jobs": False,
        "poll_delay_s": 0.5,
        "burst": False,
        "max_burst_jobs": -1,
        "on_job_start": None,
        "on_job_end": None,
        "after_job_end": None,
    }
    return JobOptions(**(values | changes))


def with_replaced(module: ModuleType, **names: Callable[..., Any]) -> SimpleNamespace:
    """Return the names of a module, some of them replaced, for one module under test to use in its place."""
    return SimpleNamespace(**(vars(module) | names))


@pytest.fixture
def server() -> FakeServer:
    return FakeServer(version=(6, 2))


@pytest_asyncio.fixture
async def redis(server: FakeServer) -> AsyncIterator[ArqRedis]:
    client = open_client(server)
    yield client
    await client.aclose(close_connection_pool=True)


@pytest.fixture
def events() -> KeptEvents:
    return KeptEvents()


@pytest.fixture
def health() -> NotedHealth:
    return NotedHealth()


@pytest_asyncio.fixture
async def context(redis: ArqRedis, events: KeptEvents, health: NotedHealth) -> EngineContext:
    """What the loops of a worker with one queue share; use `dataclasses.replace` for another part."""
    scripts = Scripts(redis)
    return EngineContext(
        worker_id=WORKER_ID,
        queues={QUEUE: 10},
        slots=10,
        lease_s=10,
        redis=redis,
        scripts=scripts,
        memory=MemoryWatch(redis, events),
        completer=Completer(scripts, health, events, NotedLimit(redis), timeout_s=5),
        redis_health=health,
        breaker=CircuitBreaker(events),
        pauses=Pauses(),
        clock=RedisClock(),
        events=events,
        wake=asyncio.Event(),
        stopping=asyncio.Event(),
    )
