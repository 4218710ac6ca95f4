"""Workers that are killed, terminated, frozen or blocked, and jobs that try to end their worker."""

import asyncio
import signal
import time

import pytest

from tests.acceptance.conftest import WorkerRun
from tests.faults.conftest import OpenStand
from tests.faults.faulty_jobs import FAULTY, count_runs, open_gate, put_faulty, wait_for_runs
from tests.faults.injectors.fail_command import APP_NAME, fail_command
from tests.faults.injectors.processes import frozen, sigkill
from tests.faults.stand import Stand
from worker.engine.decision import CRASH_LIMIT
from worker.queue import keys

TAKEN_OVER_WITHIN_S = 15.0  # at the default lease of 10 s
SHORT_LEASE = {"WORKER_LEASE": "2", "REDIS_TIMEOUT": "1"}
DRAIN_S = 5.0  # the most that the engine takes beyond the grace period to hand jobs back


@pytest.mark.long
async def test_row_01_killed_during_the_commit(open_stand: OpenStand) -> None:
    async with open_stand(**SHORT_LEASE) as stand:
        assert await _applied_after_kill_in_commit(stand, block_ms=4_000) == 20


@pytest.mark.long
async def test_row_01_killed_during_the_commit_at_the_default_lease(stand: Stand) -> None:
    assert await _applied_after_kill_in_commit(stand, block_ms=13_000) == 20


async def _applied_after_kill_in_commit(stand: Stand, block_ms: int) -> int:
    """Kill a worker during 20 commits and return how many jobs were applied.

    The server completes the dead client's commits after `block_ms`, so the jobs run again before and after that.
    """
    worker = await stand.worker()
    (member,) = stand.mongo_server.members
    once = {"times": 20}

    async def waiting_commits() -> int:
        found = await member.command("currentOp", **{"command.commitTransaction": 1, "appName": APP_NAME})
        return len(found["inprog"])

    async def all_waiting() -> bool:
        return await waiting_commits() == 20

    async def all_run_again() -> bool:
        # A job that is claimed from a dead owner counts one crash.
        entries = await stand.redis.hmget(keys.CRASHES, list(stand.ledger.accepted))
        return all(entry is not None and entry.startswith(b"1 ") for entry in entries)

    async with fail_command(member, ["commitTransaction"], mode=once, blockConnection=True, blockTimeMS=block_ms):
        await stand.load().put_many("register", 20)
        await stand.until(all_waiting)
        await sigkill(worker)
        killed = time.monotonic()
        stand.row.faults += 1
        assert await waiting_commits() == 20
        assert await stand.ledger.effects() == 0
        await stand.worker()
        await stand.until(all_run_again)
        stand.row.note_pause(time.monotonic() - killed)
        assert time.monotonic() - killed < TAKEN_OVER_WITHIN_S
    account = await stand.balance()
    for job_id in stand.ledger.accepted:
        assert (await stand.result(job_id))["r"]["status"] == "registered"
    return account.applied


@pytest.mark.long
async def test_row_01_killed_between_two_statements(stand: Stand) -> None:
    """The dead worker never commits, so the server keeps the hospitals locked by its transactions."""
    load = stand.load(amended=5)
    worker = await stand.worker()
    await load.prepare()
    (member,) = stand.mongo_server.members

    async def waiting_entries() -> bool:
        found = await member.command("currentOp", **{"command.insert": "logs", "appName": APP_NAME})
        return len(found["inprog"]) == 5

    async with fail_command(member, ["insert"], mode={"times": 5}, blockConnection=True, blockTimeMS=2_000):
        await load.put_many("amend", 40)
        await stand.until(waiting_entries)
        await sigkill(worker)
        killed = time.monotonic()
        stand.row.faults += 1
    await stand.worker()
    account = await stand.balance(200)  # as long as the server would keep them locked
    stand.row.note_pause(time.monotonic() - killed)
    assert (account.applied, account.dead) == (45, 0)
    assert time.monotonic() - killed < TAKEN_OVER_WITHIN_S


@pytest.mark.long
async def test_row_03_all_workers_killed_with_100_jobs_in_flight(open_stand: OpenStand) -> None:
    # Enough connections, and threads of Motor, for one worker to have all jobs at the server at once.
    async with open_stand(MONGODB_POOL_SIZE="200", MOTOR_MAX_WORKERS="200") as stand:
        load = stand.load()
        workers = [await stand.worker(), await stand.worker()]
        (member,) = stand.mongo_server.members
        slow, once = ["findAndModify", "commitTransaction"], {"times": 140}
        at_server = [{f"command.{name}": {"$exists": True}} for name in slow]

        async def all_waiting() -> bool:
            found = await member.command("currentOp", **{"$or": at_server, "appName": APP_NAME})
            return len(found["inprog"]) == 140

        async with fail_command(member, slow, mode=once, blockConnection=True, blockTimeMS=15_000):
            await asyncio.gather(load.put_many("ingest", 100), load.put_many("register", 40))
            await stand.until(all_waiting)
            await sigkill(*workers)
            killed = time.monotonic()
            stand.row.faults += len(workers)
            assert await stand.leases() == 140
            orphans = set(stand.ledger.accepted)
            await asyncio.gather(stand.worker(), stand.worker())
            await load.put_many("ingest", 50)
            for job_id in stand.ledger.accepted.keys() - orphans:
                await stand.result(job_id, TAKEN_OVER_WITHIN_S)
            stand.row.notes["fresh work after s"] = round(time.monotonic() - killed, 1)
            assert time.monotonic() - killed < TAKEN_OVER_WITHIN_S
            account = await stand.balance()
            stand.row.note_pause(time.monotonic() - killed)
            assert time.monotonic() - killed < TAKEN_OVER_WITHIN_S
        assert (account.applied, account.dead) == (190, 0)


async def test_row_04_terminated_with_20_jobs_in_flight(open_stand: OpenStand) -> None:
    async with open_stand(WORKER_MAX_TRIES="1") as stand:
        jobs = await put_faulty(stand, "held", count=20)
        grace_s = 0.5
        worker = await stand.worker(FAULTY, WORKER_GRACE_PERIOD=str(grace_s))
        await wait_for_runs(stand, 20)
        assert await _terminate(stand, worker) < grace_s + DRAIN_S
        # Jobs that were not done within the grace period look as if they had never been claimed.
        await _assert_untouched(stand, jobs)

        worker = await stand.worker(FAULTY)
        await wait_for_runs(stand, 40)
        worker.send(signal.SIGTERM)
        stand.row.faults += 1
        await stand.until(lambda: "action=shutdown" in worker.log)
        await open_gate(stand)
        assert await worker.ended(stand.settings.worker_grace_period) == 0
        # Jobs that were done within it hold no lease, and each ended on its first try.
        assert await stand.leases() == 0
        assert [(await stand.result(job_id, 1))["t"] for job_id in jobs] == [1] * 20
        assert (await stand.balance()).applied == 20


async def _terminate(stand: Stand, worker: WorkerRun) -> float:
    """SIGTERM a worker; return how many seconds it took to end."""
    started = time.monotonic()
    worker.send(signal.SIGTERM)
    stand.row.faults += 1
    assert await worker.ended() == 0
    return time.monotonic() - started


async def _assert_untouched(stand: Stand, jobs: list[str]) -> None:
    assert await stand.leases() == 0
    assert await stand.redis.zcard("arq:queue") == len(jobs)
    assert await stand.redis.exists(*(keys.TRIES + job_id for job_id in jobs)) == 0
    assert await stand.redis.hlen(keys.CRASHES) == 0


@pytest.mark.long
async def test_row_05_restarted_repeatedly_during_one_job(open_stand: OpenStand) -> None:
    async with open_stand(WORKER_MAX_TRIES="1", WORKER_GRACE_PERIOD="0") as stand:
        jobs = await put_faulty(stand, "held")
        await _restart(stand, jobs, 2)
        await open_gate(stand)
        await stand.worker(FAULTY)
        account = await stand.balance()
        assert (account.applied, account.dead) == (1, 0)


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_row_05_restarted_20_times_during_a_job_of_30_s(open_stand: OpenStand) -> None:
    async with open_stand(WORKER_MAX_TRIES="1", WORKER_GRACE_PERIOD="1") as stand:
        (job_id,) = await put_faulty(stand, "slow", 30)
        await _restart(stand, [job_id], 20)
        await stand.worker(FAULTY)
        account = await stand.balance()
        assert (account.applied, account.dead) == (1, 0)
        assert (await stand.result(job_id, 1))["t"] == 1


async def _restart(stand: Stand, jobs: list[str], times: int) -> None:
    for number in range(1, times + 1):
        worker = await stand.worker(FAULTY)
        await wait_for_runs(stand, number)
        await _terminate(stand, worker)
        await _assert_untouched(stand, jobs)


@pytest.mark.long
async def test_row_06_frozen_past_its_lease(open_stand: OpenStand) -> None:
    async with open_stand(**SHORT_LEASE) as stand:
        jobs = await put_faulty(stand, "stubborn", count=10)
        frozen_worker = await stand.worker(FAULTY)
        await wait_for_runs(stand, 10)
        with frozen(frozen_worker):
            stand.row.faults += 1
            other = await stand.worker(FAULTY)
            async with stand.load(amended=3):
                await wait_for_runs(stand, 20)
                await open_gate(stand)
                log_ids = {job_id: (await stand.result(job_id))["r"]["log_id"] for job_id in jobs}
                await stand.effects_grow_by(100)
        # The thawed worker continues the jobs that it believes it holds: it registers again, and reports to Redis.
        refused = "action=completion_refused"
        await stand.until(lambda: frozen_worker.log.count(refused) == len(jobs))
        assert {job_id: (await stand.result(job_id))["r"]["log_id"] for job_id in jobs} == log_ids
        assert refused not in other.log
        account = await stand.balance()
        assert account.dead == 0
        assert await count_runs(stand) == 20
        await stand.until(lambda: stand.is_ready(frozen_worker))


@pytest.mark.long
async def test_row_07_event_loop_blocked_for_longer_than_a_lease(open_stand: OpenStand) -> None:
    async with open_stand(**SHORT_LEASE) as stand:
        await put_faulty(stand, "held", count=10)
        blocked = await stand.worker(FAULTY)
        await wait_for_runs(stand, 10)
        await put_faulty(stand, "blocking", 9)
        await wait_for_runs(stand, 11)
        began = time.monotonic()
        stand.row.faults += 1
        # A job whose lease the blocked worker lost would run on this worker.
        other = await stand.worker(FAULTY)
        await stand.until(lambda: "action=event_loop_blocked" in blocked.log)
        stand.row.notes["logged after s"] = round(time.monotonic() - began, 1)
        assert time.monotonic() - began < 10
        assert not await stand.is_ready(blocked)
        await open_gate(stand)
        account = await stand.balance()
        assert (account.applied, account.dead) == (11, 0)
        assert await count_runs(stand) == 11
        await stand.until(lambda: stand.is_ready(blocked))
        for worker in (blocked, other):
            assert "action=lease_lost" not in worker.log
            assert "action=completion_refused" not in worker.log


@pytest.mark.long
async def test_row_08_a_job_that_kills_its_process(open_stand: OpenStand) -> None:
    async with open_stand(**SHORT_LEASE) as stand:
        await put_faulty(stand, "held", count=5)
        (killer,) = await put_faulty(stand, "killer", 9)
        await put_faulty(stand, "held", count=4)
        for crash in range(1, CRASH_LIMIT + 1):
            worker = await stand.start(FAULTY)
            if crash == CRASH_LIMIT:
                await open_gate(stand)
            assert await worker.ended(30) == -signal.SIGKILL
            stand.row.faults += 1
        last = await stand.worker(FAULTY)
        account = await stand.balance()
        assert (account.applied, account.dead) == (9, 1)
        dead_letter = await stand.dead_letters.get(killer)
        assert (dead_letter.failure.type, dead_letter.crashes) == ("LeaseLost", CRASH_LIMIT)
        assert int(await stand.redis.get("kills")) == CRASH_LIMIT
        await stand.until(lambda: stand.is_ready(last))


async def test_row_09_exits_and_base_exceptions_in_jobs(stand: Stand) -> None:
    worker = await stand.worker(FAULTY)
    neighbours = await put_faulty(stand, "held", count=5)
    await wait_for_runs(stand, 5)
    raised = {
        "exit": "SystemExit",
        "interrupt": "KeyboardInterrupt",
        "custom": "CustomBaseException",
        "closed": "GeneratorExit",
    }
    dead = {(await put_faulty(stand, "exiting", how))[0]: name for how, name in raised.items()}
    (from_task,) = await put_faulty(stand, "exiting", "task")
    stand.row.faults += len(dead) + 1

    async def all_dead() -> bool:
        return int(await stand.redis.hlen(keys.DEAD)) == len(dead) + 1

    await stand.until(all_dead)
    for job_id, name in dead.items():
        assert (await stand.dead_letters.get(job_id)).failure.type == name
    assert (await stand.dead_letters.get(from_task)).reason == "unexpected error"
    assert await stand.leases() == len(neighbours)
    await open_gate(stand)
    account = await stand.balance()
    assert (account.applied, account.dead) == (5, 5)
    await stand.until(lambda: stand.is_ready(worker))
