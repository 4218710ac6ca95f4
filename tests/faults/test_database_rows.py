"""A MongoDB that is slow, has few connections, gets concurrent writes to one hospital, or runs out of disk."""

import asyncio
import os
import signal
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
from pymongo.errors import PyMongoError

from tests.acceptance.conftest import WorkerRun
from tests.faults.conftest import OpenStand
from tests.faults.injectors.fail_command import fail_command
from tests.faults.injectors.small_disk import CannotStageError, SmallDisk
from tests.faults.ledger import Account
from tests.faults.load import record
from tests.faults.rows import Row
from tests.faults.stand import Stand, logged_jobs
from worker.contract import INGEST_HOSPITAL, IngestHospital, OnExisting
from worker.embedded import EmbeddedMongo, EmbeddedRedis
from worker.embedded.binaries import find_mongod
from worker.queue.heartbeats import STALE_AFTER_S, read_heartbeats, redis_time

COMMANDS = ["find", "insert", "update", "findAndModify", "commitTransaction", "abortTransaction"]
POOL = 5
HOSPITALS, JOBS_EACH = 40, 20
DISK_MB = 400  # mongod's journal alone takes 300


# ---- row 23 -------------------------------------------------------------------------------------------


async def _sends_heartbeats(stand: Stand, worker: WorkerRun) -> bool:
    """Return whether the worker runs and has a recent heartbeat."""
    assert worker.process.returncode is None, worker.log
    now, heartbeats = await asyncio.gather(redis_time(stand.redis), read_heartbeats(stand.redis))
    return any(beat.pid == worker.pid and beat.age_s(now) < STALE_AFTER_S for beat in heartbeats)


async def _run_commands_slower_than_timeouts(
    stand: Stand, *, command_s: float, timeout_s: float, job_timeout_s: float, jobs: int
) -> Account:
    worker = await stand.worker(MONGODB_TIMEOUT=str(timeout_s), WORKER_JOB_TIMEOUT=str(job_timeout_s))
    # The driver sends the running command once more, then the transaction's abort twice.
    bound_s = job_timeout_s + 4 * timeout_s + 1
    load = stand.load()
    (member,) = stand.mongo_server.members
    block_ms = round(command_s * 1000)
    async with fail_command(member, COMMANDS, blockConnection=True, blockTimeMS=block_ms) as injected:
        started = time.monotonic()
        await asyncio.gather(load.put_many("ingest", jobs), load.put_many("register", jobs))
        await stand.until(lambda: logged_jobs(worker.log, "job_retried") >= set(stand.ledger.accepted), bound_s)
        stand.row.notes["run ended after s"] = round(time.monotonic() - started, 1)
        assert await _sends_heartbeats(stand, worker)
    stand.row.faults = injected.times
    account = await stand.balance(120)
    await stand.until(lambda: stand.is_ready(worker))
    assert "action=event_loop_blocked" not in worker.log
    return account


async def test_row_23_commands_slower_than_their_timeout(stand: Stand) -> None:
    account = await _run_commands_slower_than_timeouts(stand, command_s=1.5, timeout_s=0.5, job_timeout_s=1, jobs=5)
    assert account.dead == 0


@pytest.mark.long
@pytest.mark.timeout(360)
async def test_row_23_commands_that_take_30_s(stand: Stand) -> None:
    account = await _run_commands_slower_than_timeouts(stand, command_s=30, timeout_s=20, job_timeout_s=60, jobs=40)
    assert account.dead == 0


@pytest.mark.long
async def test_row_23_commands_that_take_2_s(stand: Stand) -> None:
    worker = await stand.worker()
    (member,) = stand.mongo_server.members
    async with stand.load(per_second=8) as load:
        async with fail_command(member, COMMANDS, blockConnection=True, blockTimeMS=2_000) as injected:
            await stand.effects_grow_by(100)
            assert await _sends_heartbeats(stand, worker)
        await stand.effects_grow_by(20)
    stand.row.faults = injected.times
    account = await stand.balance()
    # Commands are slow but within all timeouts, so no job needs a second try.
    assert await stand.ledger.tries() == {1: account.accepted}
    stand.pause_s(account, load.began, load.ended)


# ---- row 24 -------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_row_24_three_hundred_jobs_on_five_connections(open_stand: OpenStand, driver: str) -> None:
    async with open_stand(MONGODB_POOL_SIZE=str(POOL), MONGODB_DRIVER=driver) as stand:
        worker = await stand.worker()
        load = stand.load()
        (member,) = stand.mongo_server.members
        async with fail_command(member, COMMANDS, blockConnection=True, blockTimeMS=5) as injected:
            await asyncio.gather(load.put_many("ingest", 150), load.put_many("register", 150))
            await stand.ledger.settle(60)
        stand.row.faults = injected.times
        account = await stand.balance()
        assert account.dead == 0
        assert await stand.ledger.tries() == {1: 300}
        worker.send(signal.SIGTERM)
        assert await worker.ended() == 0
        (closed,) = [line.split() for line in worker.log.splitlines() if "action=mongo_closed" in line]
        assert f"highest_checked_out={POOL}" in closed


# ---- row 26 -------------------------------------------------------------------------------------------


@pytest.mark.long
async def test_row_26_forty_hospitals_ingested_by_twenty_jobs_each(stand: Stand) -> None:
    await asyncio.gather(stand.worker(), stand.worker())
    modes: list[OnExisting] = ["keep", "merge"]
    payloads = [
        IngestHospital(
            record=record(hospital).model_copy(update={"beds": job}), on_existing=stand.rng.choice(modes)
        )
        for hospital in range(HOSPITALS)
        for job in range(JOBS_EACH)
    ]
    receipts = await stand.producer_client.enqueue_many(INGEST_HOSPITAL, payloads)
    await stand.ledger.settle(60)
    outcomes = [await receipt.outcome(timeout=10) for receipt in receipts]
    stand.row.faults = len(outcomes) - HOSPITALS
    stand.row.note_account(Account(accepted=len(payloads), applied=len(outcomes)))
    created = Counter(outcome.hospital_id for outcome in outcomes if outcome.status == "created")
    merged = Counter(outcome.hospital_id for outcome in outcomes if outcome.status == "merged")
    found = {hospital["_id"]: hospital async for hospital in stand.database["hospitals"].find({})}
    assert len(found) == HOSPITALS
    assert created == dict.fromkeys(found, 1)
    assert {key: hospital["revision"] for key, hospital in found.items()} == {key: 1 + merged[key] for key in found}
    creators = {
        outcome.hospital_id: receipt.job_id
        for receipt, outcome in zip(receipts, outcomes, strict=True)
        if outcome.status == "created"
    }
    assert {key: hospital["created_by_job"] for key, hospital in found.items()} == creators


# ---- row 35 -------------------------------------------------------------------------------------------


@pytest.mark.long
async def test_row_35_disk_full_under_mongod(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not in `tmp_path`, whose logs are searched for payloads: a dying mongod logs some.
    folder = tmp_path_factory.mktemp("disk")
    database = folder / "data" / "member-0" / "db"
    database.mkdir(parents=True)
    async with AsyncExitStack() as stack:
        try:
            disk = await stack.enter_async_context(SmallDisk(database, megabytes=DISK_MB))
        except CannotStageError as error:
            pytest.skip(f"no small disk can be mounted on this machine: {error}")
        monkeypatch.setenv("MONGOD_BIN", str(disk.run_on_it(find_mongod(os.environ), folder)))
        redis = await stack.enter_async_context(EmbeddedRedis(appendfsync="always"))
        mongo = await stack.enter_async_context(EmbeddedMongo(data_dir=folder / "data"))
        # Commands wait for less than the outage lasts, so that jobs fail during it.
        stand = Stand(redis, mongo, tmp_path, row, MONGODB_SELECTION_TIMEOUT="1")
        await stack.enter_async_context(stand)
        account = await _fill_and_empty_the_disk(stand, disk)
        assert account.dead == 0


async def _fill_and_empty_the_disk(stand: Stand, disk: SmallDisk) -> Account:
    worker = await stand.worker()
    (member,) = stand.mongo_server.members
    async with stand.load(per_second=60) as load:
        await stand.effects_grow_by(50)
        disk.fill()
        stand.row.faults += 1
        with suppress(PyMongoError):
            # mongod writes this automatically once a minute. It hits the full disk, which ends the server.
            await member.command("fsync")
        await stand.until(lambda: not member.running, 30)
        await stand.until(lambda: "action=circuit_breaker_opened" in worker.log)
        disk.make_room()
        await stand.mongo_server.start()
        await stand.effects_grow_by(50)
    account = await stand.balance()
    stand.pause_s(account, load.began, load.ended)
    await stand.until(lambda: stand.is_ready(worker))
    return account
