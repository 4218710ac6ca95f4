"""A MongoDB that answers, and takes no writes."""

import asyncio

import pytest

from tests.faults.stand import Stand

JOBS = 20


async def test_row_59_users_may_not_write(stand: Stand) -> None:
    worker = await stand.worker(WORKER_MAX_TRIES="1")
    load = stand.load()
    (member,) = stand.mongo_server.members
    await member.command("setUserWriteBlockMode", 1, **{"global": True})
    try:
        await asyncio.gather(load.put_many("ingest", JOBS), load.put_many("register", JOBS))
        await stand.until(lambda: "action=circuit_breaker_opened" in worker.log, 30)
    finally:
        await member.command("setUserWriteBlockMode", 1, **{"global": False})
    stand.row.faults = 1
    account = await stand.balance()
    assert account.dead == 0


@pytest.mark.long
async def test_row_59_writes_are_locked(stand: Stand) -> None:
    # A try takes as long as the driver's two, which is longer than MongoDB ever writes nothing.
    worker = await stand.worker(WORKER_MAX_TRIES="1", MONGODB_TIMEOUT="10", WORKER_JOB_TIMEOUT="40")
    load = stand.load()
    (member,) = stand.mongo_server.members
    written: set[object] = set()

    async def has_been_writing() -> bool:
        written.add((await member.command("hello"))["lastWrite"]["lastWriteDate"])
        return len(written) > 3

    # A worker knows nothing of a primary whose latest write it has never seen to change. It looks every 2 s.
    await stand.until(has_been_writing, 60)
    await member.command("fsync", 1, lock=True)
    try:
        await asyncio.gather(load.put_many("ingest", JOBS), load.put_many("register", JOBS))
        # Of each of the two functions.
        await stand.until(lambda: worker.log.count("action=circuit_breaker_opened") >= 2, 90)
    finally:
        await member.command("fsyncUnlock")
    stand.row.faults = 1
    account = await stand.balance()
    assert account.dead == 0
