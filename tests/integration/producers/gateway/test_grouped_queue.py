"""Jobs of concurrent calls share calls to Redis, and each call is answered for its own job."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

import pytest
import pytest_asyncio
from arq.connections import ArqRedis

from producers.client import HospitalProducer
from producers.gateway.grouped_queue import GroupedQueue
from producers.receipts import Receipt
from tests.integration.producers.conftest import a_later_call
from worker.codec import Codec
from worker.contract import BULK_QUEUE, DEFAULT_QUEUE, HospitalRecord, IngestOutcome
from worker.embedded import EmbeddedRedis
from worker.errors import KeyUsedTwice, OutageError, QueueFull
from worker.queue import keys
from worker.queue.completion import Completion
from worker.queue.scripts import Enqueue, Scripts
from worker.settings import Settings, load_settings

Answer = Receipt[IngestOutcome] | BaseException


class Watched(Scripts):
    """The real scripts. Each call waits for `go_on`, and then for `fails` if it is set."""

    def __init__(self, redis: Any) -> None:
        super().__init__(redis)
        self.calls: list[int] = []
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.fails: Exception | None = None

    async def enqueue(
        self, jobs: Iterable[Enqueue], batch: str = "", bounds: Mapping[str, int] | None = None
    ) -> Any:
        jobs = list(jobs)
        self.calls.append(len(jobs))
        await self.go_on.wait()
        if self.fails is not None:
            raise self.fails
        return await super().enqueue(jobs, batch, bounds)


class Stand:
    """A producer whose queue groups, and what it sends."""

    def __init__(self, settings: Settings, patience: float = 5) -> None:
        self.queue = GroupedQueue(settings, patience, patience_when_full=0)
        self.producer = HospitalProducer(self.queue)
        self.scripts = self.queue._scripts = Watched(self.queue._redis)

    async def ingest(self, name: str = "Mercy", key: str | None = None) -> Receipt[IngestOutcome]:
        return await self.producer.ingest_hospital(HospitalRecord(hospital_name=name), idempotency_key=key)

    async def at_once(self, *names: str, keys: Sequence[str | None] = ()) -> list[Answer]:
        calls = (self.ingest(name, key) for name, key in zip(names, keys or [None] * len(names), strict=True))
        return await asyncio.gather(*calls, return_exceptions=True)


def states(answers: Sequence[Answer]) -> list[str | None]:
    return [answer.state if isinstance(answer, Receipt) else type(answer).__name__ for answer in answers]


@pytest_asyncio.fixture
async def stand(settings: Settings) -> AsyncIterator[Stand]:
    stand = Stand(settings)
    async with stand.producer:
        yield stand


async def test_a_call_that_comes_alone_goes_alone_and_at_once(stand: Stand, redis: ArqRedis) -> None:
    receipt = await stand.ingest()

    assert (receipt.state, stand.scripts.calls) == ("new", [1])
    assert await redis.zscore(DEFAULT_QUEUE, receipt.job_id) is not None


async def test_calls_of_one_turn_go_together_and_each_job_is_stored(stand: Stand, redis: ArqRedis) -> None:
    answers = await stand.at_once(*(f"Hospital {number}" for number in range(600)))

    assert states(answers) == ["new"] * 600
    assert stand.scripts.calls == [250, 250, 100]
    assert len({answer.job_id for answer in answers if isinstance(answer, Receipt)}) == 600
    assert await redis.zcard(DEFAULT_QUEUE) == 600


async def test_calls_that_come_while_two_are_on_their_way_go_together_next(stand: Stand) -> None:
    stand.scripts.go_on.clear()
    calls = []
    for number in range(12):
        calls.append(asyncio.create_task(stand.ingest(f"Hospital {number}")))
        for _ in range(5):
            await asyncio.sleep(0)
    assert stand.scripts.calls == [1, 1]

    stand.scripts.go_on.set()
    await asyncio.gather(*calls)

    assert stand.scripts.calls == [1, 1, 10]


async def test_each_call_is_answered_for_its_own_key(stand: Stand, redis: ArqRedis) -> None:
    await stand.ingest("Grace", "taken")
    await a_later_call()
    stand.scripts.calls.clear()

    answers = await stand.at_once("Mercy", "Other", "Grace", "Angel", keys=["one", "taken", "taken", "two"])

    assert states(answers) == ["new", "KeyUsedTwice", "queued", "new"]
    assert stand.scripts.calls[0] == 4
    assert isinstance(answers[1], KeyUsedTwice)
    assert "ingest_hospital:taken" in str(answers[1])
    assert await redis.zcard(DEFAULT_QUEUE) == 3


async def work(redis: ArqRedis) -> None:
    """Do what is due, and keep a result of it."""
    scripts, codec = Scripts(redis), Codec()
    claim = await scripts.claim("worker:1", 10_000, 9, [(DEFAULT_QUEUE, 9)])
    for job in claim.jobs:
        result = codec.encode({**codec.decode(job.payload), "s": True, "r": None, "st": 1, "ft": 1, "q": "q"})
        await scripts.finish([Completion.done(job, "worker:1", result=result, result_life_ms=60_000)])


async def test_a_job_that_ended_before_its_group_was_answered_counts_as_new(
    stand: Stand, redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = HospitalRecord(hospital_name="Grace")
    await stand.producer.ingest_hospital(record, idempotency_key="taken", delay=3_600)
    await a_later_call()
    again, turn = stand.queue._put_again, asyncio.Lock()

    async def work_first(job: Enqueue) -> Any:
        async with turn:
            await work(redis)
        return await again(job)

    monkeypatch.setattr(stand.queue, "_put_again", work_first)
    answers = await stand.at_once("Mercy", "Other", keys=["one", "taken"])

    assert states(answers) == ["new", "KeyUsedTwice"]
    assert await redis.exists(f"{keys.RESULT}ingest_hospital:one")
    assert await redis.zcard(DEFAULT_QUEUE) == 1


async def test_a_full_queue_refuses_its_own_jobs_alone(own_redis: EmbeddedRedis, redis: ArqRedis) -> None:
    bounded = load_settings(redis_url=own_redis.url, redis_timeout=1, queue_bounds={DEFAULT_QUEUE: 3})
    stand = Stand(bounded)
    async with stand.producer:
        answers = await asyncio.gather(
            *(stand.ingest(f"Hospital {number}") for number in range(5)),
            stand.producer.ingest_hospitals([HospitalRecord(hospital_name="Angel")]),
            return_exceptions=True,
        )

    assert sorted(str(type(it).__name__) for it in answers) == ["QueueFull"] * 2 + ["Receipt"] * 4
    refused = next(it for it in answers if isinstance(it, QueueFull))
    assert (refused.waiting, refused.bound, refused.enqueued) == (3, 3, 0)
    assert (await redis.zcard(DEFAULT_QUEUE), await redis.zcard(BULK_QUEUE)) == (3, 1)


async def test_a_call_that_is_cancelled_leaves_the_others_alone(stand: Stand, redis: ArqRedis) -> None:
    stand.scripts.go_on.clear()
    first, second = asyncio.create_task(stand.ingest("Mercy")), asyncio.create_task(stand.ingest("Angel"))
    while not stand.scripts.calls:
        await asyncio.sleep(0)
    first.cancel()
    stand.scripts.go_on.set()

    assert (await second).state == "new"
    assert first.cancelled()
    assert stand.scripts.calls == [2]
    assert await redis.zcard(DEFAULT_QUEUE) == 2


async def test_calls_that_waited_during_an_outage_are_told_at_once(settings: Settings) -> None:
    stand = Stand(settings, patience=0)
    async with stand.producer:
        stand.scripts.fails = ConnectionError("gone")
        stand.scripts.go_on.clear()
        calls = []
        for number in range(10):
            calls.append(asyncio.create_task(stand.ingest(f"Hospital {number}")))
            for _ in range(5):
                await asyncio.sleep(0)
        stand.scripts.go_on.set()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(answer) for answer in answers} == {OutageError}
        # The eight that waited were not sent.
        assert stand.scripts.calls == [1, 1]

        stand.scripts.fails = None
        assert (await stand.ingest("Mercy")).state == "new"


async def test_closing_ends_calls_that_are_on_their_way(settings: Settings) -> None:
    stand = Stand(settings)
    await stand.producer.__aenter__()
    stand.scripts.go_on.clear()
    call = asyncio.create_task(stand.ingest())
    while not stand.scripts.calls:
        await asyncio.sleep(0)

    await stand.producer.close()

    with pytest.raises(asyncio.CancelledError):
        await call
