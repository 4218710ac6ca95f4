"""Jobs that do not stop, or never give the event loop or the interpreter back, and exits that come in time."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from tests.acceptance.conftest import WorkerRun
from tests.faults.conftest import OpenStand
from tests.faults.faulty_jobs import count_runs, open_gate, put_faulty, wait_for_runs
from tests.faults.injectors.processes import frozen
from tests.faults.injectors.proxy import Proxy
from tests.faults.injectors.redis_refusals import demoted
from tests.faults.stand import Stand, logged_jobs
from worker.contract import DEFAULT_QUEUE
from worker.engine.decision import CRASH_LIMIT
from worker.engine.job_threads import JobThreads
from worker.queue import keys
from worker.queue.heartbeats import read_heartbeats

STUCK = "tests.faults.settings.stuck.WorkerSettings"
SHORT_LEASE = {"WORKER_LEASE": "2", "REDIS_TIMEOUT": "1"}
# Five after the grace period, and until a busy machine has noticed.
GONE_WITHIN_S = 5.0 + 2.0
MARGIN_S = 10.0  # beyond the timeout of jobs, for which an event loop may be silent


async def terminate(stand: Stand, worker: WorkerRun, grace_s: float) -> None:
    """SIGTERM a worker, which must be gone in time with exit code 0."""
    started = time.monotonic()
    worker.send(signal.SIGTERM)
    stand.row.faults += 1
    assert await worker.ended(grace_s + 20) == 0, worker.log
    took = time.monotonic() - started
    stand.row.note_pause(took)
    assert took < grace_s + GONE_WITHIN_S, worker.log


async def assert_handed_back(stand: Stand, jobs: list[str]) -> None:
    """No job is leased, has spent a try or counts a crash."""
    assert await stand.leases() == 0
    assert await stand.redis.zcard("arq:queue") == len(jobs)
    assert await stand.redis.exists(*(keys.TRIES + job_id for job_id in jobs)) == 0
    assert await stand.redis.hlen(keys.CRASHES) == 0


async def count(stand: Stand, key: str) -> int:
    return int(await stand.redis.get(key) or 0)


async def reaches(stand: Stand, key: str, times: int) -> None:
    """Wait until a counter that jobs keep in Redis has reached a number."""

    async def reached() -> bool:
        return await count(stand, key) >= times

    await stand.until(reached, 40)


@pytest.mark.long
async def test_row_40_three_shutdowns_over_a_job_that_does_not_stop(open_stand: OpenStand) -> None:
    async with open_stand(WORKER_GRACE_PERIOD="0", WORKER_MAX_TRIES="1", **SHORT_LEASE) as stand:
        jobs = await put_faulty(stand, "stubborn")
        for number in range(1, CRASH_LIMIT + 2):
            worker = await stand.worker(STUCK)
            await wait_for_runs(stand, number)
            await terminate(stand, worker, 0)
            assert "action=jobs_left_behind" not in worker.log
            await assert_handed_back(stand, jobs)
        await open_gate(stand)
        await stand.worker(STUCK)
        account = await stand.balance()
        assert (account.applied, account.dead) == (1, 0)


async def test_row_40_redis_takes_a_job_back_at_the_last_moment_only(open_stand: OpenStand) -> None:
    """It refuses writes until the worker, which has no time left for the job, signs off."""
    async with open_stand(WORKER_GRACE_PERIOD="0", **SHORT_LEASE) as stand:
        port = stand.redis_server.port
        async with Proxy("127.0.0.1", port) as proxy, Redis(port=port) as redis:
            jobs = await put_faulty(stand, "stubborn")
            worker = await stand.worker(STUCK, REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0")
            await wait_for_runs(stand, 1)
            worker.send(signal.SIGTERM)
            await stand.until(lambda: "action=grace_period_expired" in worker.log)
            async with demoted(redis):
                refused = asyncio.Event()
                stand.row.faults += 1

                async def take_writes() -> None:
                    refused.set()
                    await redis.execute_command("REPLICAOF", "NO", "ONE")

                proxy.on(b"HDEL", take_writes)
                await asyncio.wait_for(refused.wait(), 20)
            assert await worker.ended() == 0
            assert "action=jobs_left_behind" not in worker.log
            await assert_handed_back(stand, jobs)
        await open_gate(stand)
        await stand.worker(STUCK)
        account = await stand.balance()
        assert (account.applied, account.dead) == (1, 0)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_row_40_seven_rollouts_while_mongodb_is_frozen(open_stand: OpenStand) -> None:
    async with open_stand(WORKER_GRACE_PERIOD="0.5") as stand:
        jobs = await put_faulty(stand, "gated_call", count=10)
        for number in range(1, 8):
            worker = await stand.worker(STUCK)
            await wait_for_runs(stand, 10 * number)
            async with frozen_mongodb(stand):
                await open_gate(stand)
                await reaches(stand, "through", 10 * number)
                await terminate(stand, worker, 0.5)
                await assert_handed_back(stand, jobs)
                await stand.redis.delete("gate")
        await open_gate(stand)
        await stand.worker(STUCK)
        account = await stand.balance()
        assert (account.applied, account.dead) == (10, 0)


@asynccontextmanager
async def frozen_mongodb(stand: Stand) -> AsyncIterator[None]:
    """Freeze all members of the set within the block."""
    for member in stand.mongo_server.members:
        member.freeze()
        stand.row.faults += 1
    try:
        yield
    finally:
        for member in stand.mongo_server.members:
            member.thaw()


@pytest.mark.long
async def test_row_40_a_worker_that_was_frozen_is_not_counted_as_dead(open_stand: OpenStand) -> None:
    async with open_stand(WORKER_MAX_TRIES="1", **SHORT_LEASE) as stand:
        (job_id,) = await put_faulty(stand, "held")
        owner = await stand.worker(STUCK)
        await wait_for_runs(stand, 1)
        other = await stand.worker(STUCK)

        async def no_crash_counts() -> bool:
            entry = await stand.redis.hget(keys.CRASHES, job_id)
            return entry is not None and entry.startswith(b"0 ")

        for number in range(2, CRASH_LIMIT + 3):
            with frozen(owner):
                stand.row.faults += 1
                await wait_for_runs(stand, number)
            await stand.until(no_crash_counts)
            owner, other = other, owner
        await open_gate(stand)
        account = await stand.balance()
        assert (account.applied, account.dead) == (1, 0)
        assert await stand.redis.hlen(keys.CRASHES) == 0


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("function", ["spinning", "spinning_in_a_task"])
async def test_row_41_a_job_that_never_gives_the_event_loop_back(function: str, open_stand: OpenStand) -> None:
    timeout_s = 3
    # Only workers that serve its queue take the spinner, so its neighbours can be seen to end without it.
    spinning = DEFAULT_QUEUE + ":spinning"
    both = {"WORKER_QUEUES": f"{DEFAULT_QUEUE},{spinning}=1"}
    async with open_stand(WORKER_JOB_TIMEOUT=str(timeout_s), **SHORT_LEASE) as stand:
        neighbours = await put_faulty(stand, "held", count=9)
        worker = await stand.worker(STUCK, **both)
        await wait_for_runs(stand, 9)
        (spinner,) = await put_faulty(stand, function, queue=spinning)
        await reaches(stand, "spins", 1)
        await open_gate(stand)
        for crash in range(1, CRASH_LIMIT + 1):
            stand.row.faults += 1
            await reaches(stand, "spins", crash)
            began = time.monotonic()
            assert await worker.ended(60) == 1
            stand.row.note_pause(time.monotonic() - began)
            assert time.monotonic() - began < timeout_s + MARGIN_S + 5
            assert spinner in logged_jobs(worker.log, "event_loop_stuck")
            assert "in spinning" in worker.log
            if crash == 1:
                assert await stand.redis.hlen(keys.CRASHES) == 0
                assert await stand.leases() == 1
                assert await stand.redis.zcard(DEFAULT_QUEUE) == len(neighbours)
                await stand.worker(STUCK, WORKER_QUEUES=DEFAULT_QUEUE)
                for job_id in neighbours:
                    assert (await stand.result(job_id))["t"] == 1
            worker = await stand.worker(STUCK, **both)
        account = await stand.balance()
        assert (account.applied, account.dead) == (9, 1)
        assert (await stand.dead_letters.get(spinner)).failure.type == "LeaseLost"
        assert await count_runs(stand) == 18
        await stand.until(lambda: stand.is_ready(worker))


@pytest.mark.long
async def test_row_41_jobs_that_ignore_cancellation_fill_the_slots(open_stand: OpenStand) -> None:
    settings = {"WORKER_MAX_JOBS": "5", "WORKER_JOB_TIMEOUT": "1", "WORKER_GRACE_PERIOD": "2", **SHORT_LEASE}
    async with open_stand(**settings) as stand:
        jobs = await put_faulty(stand, "stubborn", count=5)
        worker = await stand.worker(STUCK)
        stand.row.faults += len(jobs)

        async def reported() -> bool:
            return any(
                heartbeat.ignoring == 5 and not heartbeat.ready and "ignore cancellation" in heartbeat.why_not
                for heartbeat in await read_heartbeats(stand.redis)
            )

        await stand.until(reported)
        assert await worker.ended() == 1
        assert logged_jobs(worker.log, "job_ignores_cancellation") == set(jobs)
        assert worker.log.count("action=job_ignores_cancellation") == 5
        # Each has spent the try that ran out of time, and nothing counts as a crash.
        assert [await count(stand, keys.TRIES + job_id) for job_id in jobs] == [1] * 5
        assert (await stand.leases(), await stand.redis.hlen(keys.CRASHES)) == (0, 0)
        await open_gate(stand)
        await stand.worker(STUCK)
        account = await stand.balance()
        assert (account.applied, account.dead) == (5, 0)


@pytest.mark.long
async def test_row_41_threads_that_their_jobs_have_left_behind(open_stand: OpenStand) -> None:
    async with open_stand(WORKER_JOB_TIMEOUT="1", WORKER_GRACE_PERIOD="2", **SHORT_LEASE) as stand:
        jobs = await put_faulty(stand, "leaving", count=(JobThreads().size + 1) // 2)
        worker = await stand.worker(STUCK)
        stand.row.faults += len(jobs)

        assert await worker.ended(60) == 1
        assert logged_jobs(worker.log, "job_left_thread") == set(jobs)
        assert "action=threads_blocked" in worker.log
        assert (await stand.leases(), await stand.redis.hlen(keys.CRASHES)) == (0, 0)
        await open_gate(stand)
        await stand.worker(STUCK)
        account = await stand.balance()
        assert (account.applied, account.dead) == (len(jobs), 0)


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_row_41_a_call_that_holds_the_interpreters_lock_for_three_leases(open_stand: OpenStand) -> None:
    """Its job loses its lease each time, and yet ends as done, because its owners are heard of again."""
    async with open_stand(WORKER_JOB_TIMEOUT="30", **SHORT_LEASE) as stand:
        neighbours = await put_faulty(stand, "held", count=20)
        worker = await stand.worker(STUCK)
        await wait_for_runs(stand, 20)
        (job_id,) = await put_faulty(stand, "locking", 6)
        await reaches(stand, "locks", 1)
        stand.row.faults += 1
        other = await stand.start(STUCK)
        await open_gate(stand)

        async def done() -> bool:
            data = await stand.redis.get(keys.RESULT + job_id)
            return data is not None and bool((await stand.result(job_id))["s"])

        await stand.until(done, 120)
        account = await stand.balance()
        assert (account.applied, account.dead) == (21, 0)
        stand.row.notes["runs of the job"] = await count(stand, "locks")
        assert "action=renewals_held_up" in worker.log + other.log
        for neighbour in neighbours:
            assert (await stand.result(neighbour))["s"]


@pytest.mark.long
async def test_row_41_a_call_that_never_gives_the_interpreters_lock_back(open_stand: OpenStand) -> None:
    async with open_stand(WORKER_JOB_TIMEOUT="3", **SHORT_LEASE) as stand:
        neighbours = await put_faulty(stand, "held", count=5)
        worker = await stand.worker(STUCK)
        await wait_for_runs(stand, 5)
        jobs = await put_faulty(stand, "computing")
        await reaches(stand, "locks", 1)
        stand.row.faults += 1
        assert await worker.ended(90) == -signal.SIGVTALRM
        assert "in computing" in worker.log
        await open_gate(stand)
        await forget(stand, jobs)
        await stand.worker(STUCK)
        for job_id in neighbours:
            assert (await stand.result(job_id))["t"] == 1
        await stand.balance()


@asynccontextmanager
async def holding(
    stand: Stand, function: str, jobs: int, grace_s: float
) -> AsyncIterator[tuple[WorkerRun, list[str]]]:
    """A worker that runs so many jobs of one function."""
    job_ids = await put_faulty(stand, function, count=jobs)
    worker = await stand.worker(STUCK, WORKER_GRACE_PERIOD=str(grace_s))
    await wait_for_runs(stand, jobs)
    yield worker, job_ids


@pytest.mark.parametrize("signals", [1, 2])
async def test_row_48_threads_that_never_end(stand: Stand, signals: int) -> None:
    grace_s = 1.0 if signals == 1 else 60.0
    async with holding(stand, "threaded", 5, grace_s) as (worker, jobs):
        if signals == 2:
            worker.send(signal.SIGTERM)
            await stand.until(lambda: "action=shutdown" in worker.log)
            grace_s = 0
        await terminate(stand, worker, grace_s)
        assert "action=exit_forced" in worker.log
        await assert_handed_back(stand, jobs)
        await forget(stand, jobs)
        await stand.balance()


async def test_row_48_a_job_that_holds_the_event_loop_when_the_signal_comes(stand: Stand) -> None:
    async with holding(stand, "held", 5, 1.0) as (worker, neighbours):
        spinner = await put_faulty(stand, "spinning")
        await reaches(stand, "spins", 1)
        await terminate(stand, worker, 1.0)
        await assert_handed_back(stand, neighbours + spinner)
        assert await stand.redis.hlen(keys.WORKERS) == 0
        await forget(stand, neighbours + spinner)
        await stand.balance()


@pytest.mark.parametrize("store", [pytest.param("redis", marks=pytest.mark.long), "mongodb"])
async def test_row_48_a_store_is_frozen_when_the_signal_comes(stand: Stand, store: str) -> None:
    async with holding(stand, "gated_call", 5, 1.0) as (worker, jobs):
        if store == "mongodb":
            async with frozen_mongodb(stand):
                await open_gate(stand)
                await reaches(stand, "through", 5)
                await terminate(stand, worker, 1.0)
                await assert_handed_back(stand, jobs)
        else:
            stand.redis_server.freeze()
            try:
                await terminate(stand, worker, 1.0)
            finally:
                stand.redis_server.thaw()
            await open_gate(stand)
        # What could not be handed back runs again when its leases end.
        await stand.worker(STUCK)
        account = await stand.balance()
        assert (account.applied, account.dead) == (5, 0)


async def forget(stand: Stand, jobs: list[str]) -> None:
    """Remove jobs that would never end from the queue and from the ledger."""
    for key in ("arq:queue", "arq:queue" + keys.LEASED_SUFFIX):
        await stand.redis.zrem(key, *jobs)
    await stand.redis.hdel(keys.LEASES, *jobs)
    for job_id in jobs:
        del stand.ledger.accepted[job_id]
