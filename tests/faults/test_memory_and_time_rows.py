"""Idempotency keys that are repeated long after, and clocks that are put forward and back."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from producers.receipts import Receipt
from tests.faults.conftest import OpenStand
from tests.faults.faulty_jobs import FAULTY, count_runs, open_gate, put_faulty, wait_for_runs
from tests.faults.injectors.fail_command import fail_command
from tests.faults.injectors.processes import sigkill
from tests.faults.load import record
from tests.faults.stand import Stand
from tests.support.redis_clock import set_clock_back
from worker.contract import INGEST_HOSPITAL, QUEUES, HospitalChanges, IngestHospital
from worker.embedded import MongoMember
from worker.mongo.memory import LISTED_CHANGES
from worker.queue import keys

# Far above the numbers that a load uses.
HOSPITAL = 2_000_000_000
HOSPITAL_ID = f"faults:h{HOSPITAL}"
OTHER_CHANGES = 45
BACK_MS = 120_000
JOBS = 30
DELAY_S = 1.0
LONGEST_WAIT_S = 10.0
CLOCKED = "tests.faults.settings.clocked.WorkerSettings"
# How long the start of two workers may take.
START_S = 15

Call = Callable[[], Awaitable[Receipt[Any]]]


async def _outcome(call: Call) -> Any:
    return (await (await call()).outcome(timeout=60)).model_copy(update={"token": None})


async def _forget_outcomes(stand: Stand) -> None:
    """Let every outcome in Redis expire."""
    async for key in stand.redis.scan_iter(keys.RESULT + "*"):
        await stand.redis.delete(key)


async def _stored(stand: Stand) -> Any:
    """Return the hospital, without the list of its latest changes."""
    return await stand.database["hospitals"].find_one({"_id": HOSPITAL_ID}, {"applied_jobs": False})


def _merge(stand: Stand, beds: int, key: str | None = None) -> Call:
    merged = record(HOSPITAL).model_copy(update={"beds": beds})
    return lambda: stand.producer_client.ingest_hospital(merged, on_existing="merge", idempotency_key=key)


def _discard(stand: Stand, revision: int, key: str) -> Call:
    return lambda: stand.producer_client.discard_hospital(HOSPITAL_ID, revision=revision, idempotency_key=key)


async def test_row_42_an_idempotency_key_is_remembered_after_its_outcome(stand: Stand) -> None:
    await stand.worker()
    client = stand.producer_client
    chunk = [record(HOSPITAL).model_copy(update={"city": "Kept"}).model_dump(mode="json", exclude_none=True)]
    calls: list[Call] = [
        lambda: client.ingest_hospital(record(HOSPITAL), idempotency_key="create"),
        _merge(stand, 10, "merge"),
        lambda: client.correct_hospital(
            HOSPITAL_ID, HospitalChanges(ownership="first"), revision=2, idempotency_key="correct"
        ),
        lambda: client.ingest_hospitals(chunk, on_existing="merge", idempotency_key="chunk"),
    ]
    async with stand.load(per_second=20):
        first = [await _outcome(call) for call in calls]
        assert [outcome.status for outcome in first[:3]] == ["created", "merged", "corrected"]
        assert first[3].statuses == ["merged"]
        for number in range(OTHER_CHANGES):
            await _outcome(_merge(stand, 1_000 + number))
        before = await _stored(stand)
        assert before["beds"] == 1_000 + OTHER_CHANGES - 1
        await _repeat(stand, calls, first)
        assert await _stored(stand) == before
        # Removed, nothing brings it back, and nothing changes what comes later.
        calls.append(_discard(stand, before["revision"], "discard"))
        first.append(await _outcome(calls[-1]))
        await _repeat(stand, calls, first)
        assert await _stored(stand) is None
        await _outcome(_merge(stand, 5))
        before = await _stored(stand)
        await _repeat(stand, calls, first)
        assert await _stored(stand) == before
        await _outcome(_discard(stand, before["revision"], "discard-again"))
    # The hospital is in no ledger: if a call had brought it back, it would be unexpected.
    await stand.balance()


async def _repeat(stand: Stand, calls: list[Call], first: list[Any]) -> None:
    """Let the outcomes expire and repeat the calls: each is a job again, and returns its first outcome."""
    await _forget_outcomes(stand)
    stand.row.faults += len(calls)
    for call, outcome in zip(calls, first, strict=True):
        receipt = await call()
        assert receipt.state == "new"
        assert (await receipt.outcome(timeout=60)).model_copy(update={"token": None}) == outcome


@pytest.mark.long
@pytest.mark.parametrize("written", [0, 1])
async def test_row_42_workers_that_die_while_they_remember_forget_nothing(
    open_stand: OpenStand, written: int
) -> None:
    """A list that is too long is shortened by two updates; the worker is killed at the first or the second."""
    async with open_stand(WORKER_LEASE="2", REDIS_TIMEOUT="1") as stand:
        worker = await stand.worker()
        merges = [_merge(stand, 1_000 + number, f"merge-{number}") for number in range(LISTED_CHANGES + 1)]
        calls = [_merge(stand, 1, "create"), *merges]
        async with stand.load(per_second=5):
            first = [await _outcome(call) for call in calls[:-1]]
            mode: Any = {"skip": written} if written else "alwaysOn"
            async with fail_command(
                _primary(stand), ["update"], mode=mode, blockConnection=True, blockTimeMS=3_000
            ):
                receipt = await calls[-1]()
                await stand.until(lambda: _has_revision(stand, len(calls)))
                await sigkill(worker)
            worker = await stand.worker()
            first.append((await receipt.outcome(timeout=60)).model_copy(update={"token": None}))
            await _repeat(stand, calls, first)
            assert (await _stored(stand))["revision"] == len(calls)
            # The discard has written down what it is about to remove.
            calls.append(_discard(stand, len(calls), "discard"))
            async with fail_command(_primary(stand), ["delete"], blockConnection=True, blockTimeMS=3_000):
                receipt = await calls[-1]()
                await stand.until(lambda: stand.database["applied_jobs"].find_one({"discarded": {"$exists": True}}))
                await sigkill(worker)
            worker = await stand.worker()
            first.append((await receipt.outcome(timeout=60)).model_copy(update={"token": None}))
            await _repeat(stand, calls, first)
            assert await _stored(stand) is None
        await stand.balance()


def _primary(stand: Stand) -> MongoMember:
    return stand.mongo_server.members[0]


async def _has_revision(stand: Stand, revision: int) -> bool:
    return bool((await _stored(stand))["revision"] == revision)


async def test_row_49_due_jobs_run_although_redis_clock_was_set_back(stand: Stand) -> None:
    load = stand.load()
    await load.put_many("register", JOBS)
    await set_clock_back(stand.redis, BACK_MS, QUEUES)
    began = time.monotonic()
    worker = await stand.worker()
    # Beside the jobs from before, also those from after: at once, or after their delay.
    await load.put_many("ingest", JOBS)
    payload = IngestHospital(record=record(HOSPITAL))
    deferred = await stand.producer_client.enqueue(INGEST_HOSPITAL, payload, delay=DELAY_S)
    enqueued = time.monotonic()
    stand.ledger.accept("ingest", deferred.job_id, HOSPITAL_ID)
    await stand.result(deferred.job_id)
    assert DELAY_S - 0.1 < time.monotonic() - enqueued < DELAY_S + LONGEST_WAIT_S
    # And the same again beside a worker that has run all the time.
    await set_clock_back(stand.redis, BACK_MS, QUEUES)
    await load.put_many("ingest", JOBS)
    account = await stand.balance(LONGEST_WAIT_S)
    assert account.applied == 3 * JOBS + 1
    stand.row.faults += 2
    stand.row.note_pause(time.monotonic() - began)
    await stand.until(lambda: stand.is_ready(worker))


@pytest.mark.long
async def test_row_49_a_dead_workers_jobs_are_taken_although_redis_clock_was_set_back(
    open_stand: OpenStand,
) -> None:
    async with open_stand(WORKER_LEASE="2", REDIS_TIMEOUT="1") as stand:
        dying = await stand.worker(FAULTY)
        await put_faulty(stand, "held", count=JOBS)
        await wait_for_runs(stand, JOBS)
        other = await stand.worker(FAULTY)
        await set_clock_back(stand.redis, BACK_MS, QUEUES)
        assert await count_runs(stand) == JOBS
        await sigkill(dying)
        killed = time.monotonic()
        stand.row.faults += 2
        await wait_for_runs(stand, 2 * JOBS)
        # A lease, and a tenth of it more: the queues' time passes more slowly until Redis's clock has caught up.
        stand.row.note_pause(time.monotonic() - killed)
        assert time.monotonic() - killed < LONGEST_WAIT_S
        await open_gate(stand)
        account = await stand.balance()
        assert (account.applied, account.dead) == (JOBS, 0)
        await stand.until(lambda: stand.is_ready(other))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(datetime(2024, 3, 31, 1, tzinfo=UTC), id="spring", marks=pytest.mark.long),
        pytest.param(datetime(2024, 10, 27, 1, tzinfo=UTC), id="autumn"),
    ],
)
async def test_row_49_cron_jobs_run_once_each_while_the_clocks_change(stand: Stand, change: datetime) -> None:
    """Two workers in Berlin, whose clocks show a few seconds before the change when they have started."""
    shift_s = (change - timedelta(seconds=START_S) - datetime.now(UTC)).total_seconds()
    await asyncio.gather(*(stand.worker(CLOCKED, CLOCK_SHIFT=str(shift_s)) for _ in range(2)))
    stand.row.faults += 1
    after = [int((change + timedelta(seconds=number)).timestamp() * 1000) for number in range(4)]

    async def planned() -> list[int]:
        return sorted(int(run) for run in await stand.redis.lrange("ticks", 0, -1))

    async def has_gone_on() -> bool:
        return set(after) <= set(await planned())

    await stand.until(has_gone_on, START_S + 30)
    # With two workers the run after the last of these may be noted before one that was planned earlier.
    runs = [run for run in await planned() if run <= after[-1]]
    assert runs == list(range(runs[0], runs[-1] + 1, 1_000))
