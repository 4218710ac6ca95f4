"""Producers for tests answer as the real producer does: the same calls on both."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from arq.connections import ArqRedis
from arq.worker import func
from pydantic import BaseModel

from producers.client import HospitalProducer
from producers.testing import InlineProducer, PrivateMongo, RecordingProducer
from tests.integration.producers.conftest import a_later_call
from worker.codec import Codec
from worker.contract import DEFAULT_QUEUE, INGEST_HOSPITAL, HospitalRecord, JobSpec
from worker.embedded import EmbeddedRedis
from worker.engine.arq_redis import open_arq_redis
from worker.engine.worker import LeaseWorker
from worker.errors import (
    BatchClosed,
    BatchNotFound,
    InvalidPayload,
    JobNotFound,
    KeyUsedTwice,
    PermanentError,
    RemoteError,
)
from worker.settings import load_settings

MERCY = HospitalRecord(hospital_name="Mercy", source="cms", external_id="1")
GRACE = HospitalRecord(hospital_name="Grace", source="cms", external_id="2")


class Note(BaseModel):
    text: str
    fails: bool = False


class Noted(BaseModel):
    text: str


NOTE, SUMMARY = JobSpec("note", Note, Noted), JobSpec("summary", Note, Noted)


async def note(ctx: dict[str, Any], payload: dict[str, Any]) -> Noted:
    if payload.get("fails"):
        raise PermanentError(f"{payload['text']} fails")
    if (batch := ctx.get("batch")) is not None:
        batch.count("notes", 2)
    return Noted(text=f"{payload['text']} by {ctx['job_id']}, try {ctx['job_try']}")


async def summary(ctx: dict[str, Any], payload: dict[str, Any]) -> Noted:
    progress = await ctx["batch"].progress()
    return Noted(text=f"{progress.state} {progress.complete} {progress.dead} {dict(progress.counts)}")


@pytest_asyncio.fixture(params=["real", "inline"])
async def served(
    request: pytest.FixtureRequest, own_redis: EmbeddedRedis, private_mongo: PrivateMongo
) -> AsyncIterator[HospitalProducer]:
    """A producer whose jobs are run."""
    if request.param == "inline":
        with InlineProducer(private_mongo, functions=[note, summary]) as inline:
            yield inline
        return
    settings = load_settings(redis_url=own_redis.url)

    async def opened() -> ArqRedis:
        return open_arq_redis(settings, Codec())

    worker = LeaseWorker(
        [func(note, name="note"), func(summary, name="summary")],
        queues={DEFAULT_QUEUE: 5},
        poll_delay=0.05,
        handle_signals=False,
        open_redis=opened,
    )
    serving = asyncio.create_task(worker.async_run())
    async with HospitalProducer.connect(settings) as producer:
        yield producer
    await worker.close()
    await asyncio.gather(serving, return_exceptions=True)


@pytest_asyncio.fixture(params=["real", "recording"])
async def idle(request: pytest.FixtureRequest, own_redis: EmbeddedRedis) -> AsyncIterator[HospitalProducer]:
    """A producer whose jobs wait."""
    if request.param == "recording":
        yield RecordingProducer()
        return
    async with HospitalProducer.connect(load_settings(redis_url=own_redis.url)) as producer:
        yield producer


async def ask(producer: HospitalProducer, payload: Note, key: str = "key") -> str | None:
    await a_later_call()
    return (await producer.enqueue(NOTE, payload, idempotency_key=key)).state


async def test_a_used_key_is_answered_as_by_the_real_queue(served: HospitalProducer) -> None:
    receipt = await served.enqueue(NOTE, Note(text="a"), idempotency_key="key")
    assert receipt.state == "new"
    assert (await receipt.outcome(timeout=20)).text == "a by note:key, try 1"
    assert await ask(served, Note(text="a")) == "done"
    with pytest.raises(KeyUsedTwice, match=r"^note:key was enqueued with another payload: an idempotency key was"):
        await ask(served, Note(text="b"))
    status = await served.status("note:key")
    assert (status.state, status.tries, status.outcome) == ("done", 1, {"text": "a by note:key, try 1"})


async def test_a_dead_letter_is_reported_as_by_the_real_queue(served: HospitalProducer) -> None:
    receipt = await served.enqueue(NOTE, Note(text="a", fails=True), idempotency_key="key")
    with pytest.raises(RemoteError, match=r"^PermanentError: a fails$") as caught:
        await receipt.outcome(timeout=20)
    assert "raise PermanentError" in caught.value.traceback or "in note" in caught.value.traceback
    assert await ask(served, Note(text="a", fails=True)) == "dead"
    with pytest.raises(KeyUsedTwice):
        await ask(served, Note(text="a"))
    status = await served.status("note:key")
    assert (status.state, status.error, status.tries) == ("dead", "PermanentError: a fails", 1)


async def test_a_batch_runs_as_on_the_real_queue(served: HospitalProducer) -> None:
    batch = served.batch("b")
    assert await batch.create((SUMMARY, Note(text="")))
    assert not await batch.create()
    payloads = [Note(text="a"), Note(text="b", fails=True), Note(text="c")]
    receipts = await batch.add(NOTE, payloads, keys=["0", "1", "2"])
    await served.wait_all(receipts, timeout=20)
    with pytest.raises(KeyUsedTwice):
        await batch.add(NOTE, [Note(text="d")], keys=["0"])
    again = await batch.add(NOTE, payloads, keys=["0", "1", "2"])
    assert [it.state for it in again] == ["done", "dead", "done"]
    await batch.seal()

    progress = await batch.wait(timeout=20)
    assert (progress.state, progress.total, progress.complete, progress.dead) == ("finished", 3, 2, 1)
    assert dict(progress.counts) == {"notes": 4}
    completed = await batch.completion(SUMMARY).outcome(timeout=20)
    assert completed.text == "finished 2 1 {'notes': 4}"
    assert [job async for job in batch.jobs()] == [
        ("note:~batch:b:0", "complete"),
        ("note:~batch:b:1", "dead"),
        ("note:~batch:b:2", "complete"),
    ]


async def test_waiting_jobs_are_answered_as_by_the_real_queue(idle: HospitalProducer) -> None:
    assert await ask(idle, Note(text="a")) == "new"
    assert await ask(idle, Note(text="a")) == "queued"
    with pytest.raises(KeyUsedTwice):
        await ask(idle, Note(text="b"))
    deferred = await idle.enqueue(NOTE, Note(text="a"), idempotency_key="later", delay=60)
    assert [(await idle.status(it)).state for it in ("note:key", "note:later", "note:never")] == [
        "queued",
        "deferred",
        "unknown",
    ]
    with pytest.raises(TimeoutError, match=r"^note:later: still deferred after 0\.02 s$"):
        await deferred.outcome(timeout=0.02)
    with pytest.raises(JobNotFound, match=r"^ingest_hospital:never: no such job"):
        await idle.receipt(INGEST_HOSPITAL, "ingest_hospital:never").outcome(timeout=1)


async def test_waiting_jobs_are_explained_as_by_the_real_queue(idle: HospitalProducer) -> None:
    await idle.ingest_hospital(MERCY, idempotency_key="key")
    await idle.ingest_hospital(MERCY, idempotency_key="later", delay=3_600)

    waiting = await idle.explain("ingest_hospital:key")
    assert waiting == (
        "queued",
        "waits for a worker: none serves arq:queue",
        "start a worker that serves arq:queue (WORKER_QUEUES)",
    )
    deferred = await idle.explain("ingest_hospital:later")
    assert deferred.state == "deferred"
    assert deferred.reason.startswith("is deferred until ")
    assert (await idle.explain("ingest_hospital:never")).state == "unknown"


async def test_jobs_that_have_ended_are_explained_as_by_the_real_queue(served: HospitalProducer) -> None:
    payloads = [Note(text="a"), Note(text="b", fails=True)]
    receipts = await served.enqueue_many(NOTE, payloads)
    await served.wait_all(receipts, timeout=20)

    done, dead = [await served.explain(receipt.job_id) for receipt in receipts]
    assert (done.state, done.change) == ("done", "nothing: the job is done")
    assert done.reason.endswith(" after 1 try")
    assert dead.state == "dead"
    assert "after 1 try: " in dead.reason
    assert dead.reason.endswith("(PermanentError)")


async def test_an_aborted_job_is_explained(idle: HospitalProducer) -> None:
    receipt = await idle.ingest_hospital(MERCY)
    await receipt.abort()

    explained = await idle.explain(receipt.job_id)
    # Without a worker nobody has ended it in Redis; in memory nobody else would.
    assert explained.state == "aborted" or explained.reason.startswith("is to be aborted, as asked ")


async def test_a_default_makes_no_other_payload(idle: HospitalProducer) -> None:
    first = await idle.ingest_hospital(MERCY, idempotency_key="key")
    await a_later_call()
    again = await idle.ingest_hospital(MERCY, on_existing="keep", idempotency_key="key")
    assert [first.state, again.state] == ["new", "queued"]
    with pytest.raises(KeyUsedTwice):
        await idle.ingest_hospital(GRACE, idempotency_key="key")


async def test_jobs_before_a_refused_one_are_enqueued(idle: HospitalProducer) -> None:
    batch = idle.batch("b")
    await batch.create()
    await batch.add(NOTE, [Note(text="b")], keys=["1"])
    with pytest.raises(KeyUsedTwice, match="note:~batch:b:1 was"):
        await batch.add(NOTE, [Note(text="a"), Note(text="other"), Note(text="c")], keys=["0", "1", "2"])
    assert [job.job_id async for job in batch.jobs()] == ["note:~batch:b:1", "note:~batch:b:0"]


async def test_a_closed_batch_refuses_as_the_real_one_does(idle: HospitalProducer) -> None:
    batch = idle.batch("b")
    with pytest.raises(BatchNotFound):
        await batch.add(NOTE, [Note(text="a")])
    await batch.create()
    (receipt,) = await batch.add(NOTE, [Note(text="a")], keys=["0"])
    await batch.seal()
    with pytest.raises(BatchClosed, match=r"^b: the batch is sealed and takes no more jobs"):
        await batch.add(NOTE, [Note(text="b")], keys=["1"])
    await a_later_call()
    assert (await batch.add(NOTE, [Note(text="a")], keys=["0"]))[0].state == "queued"
    assert (await batch.progress()).state == "sealed"

    cancelled = await batch.cancel()
    assert (cancelled.state, cancelled.total, cancelled.dropped) == ("cancelled", 1, 1)
    assert (await batch.add(NOTE, [Note(text="a")], keys=["0"]))[0].state == "done"
    with pytest.raises(JobNotFound):
        await receipt.outcome(timeout=1)


async def test_an_invalid_call_is_refused_with_the_same_problems(idle: HospitalProducer) -> None:
    with pytest.raises(InvalidPayload) as caught:
        await idle.amend_hospital("", {"beds": -1}, actor="", reason="r")  # type: ignore[arg-type]
    assert {problem.path for problem in caught.value.problems} == {"hospital_id", "changes.beds", "actor"}
    assert str(caught.value).startswith("AmendHospital refused: ")
