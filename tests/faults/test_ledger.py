"""The ledger detects every kind of violation that it exists for."""

from datetime import timedelta
from typing import Any

import pytest
from pymongo.asynchronous.collection import AsyncCollection

from tests.faults.injectors.fail_command import fail_command
from tests.faults.ledger import Account
from tests.faults.stand import Stand
from worker.mongo.audit.log import log_id


async def _remove(collection: AsyncCollection[dict[str, Any]], key: str) -> dict[str, Any]:
    found = await collection.find_one_and_delete({"_id": key})
    assert found is not None
    return found


async def _account(stand: Stand) -> Account:
    await stand.ledger.settle(30)
    return await stand.ledger.account()


async def test_row_0_the_ledger_detects_each_violation(stand: Stand) -> None:
    load = stand.load(amended=2)
    await stand.worker()
    await load.prepare()
    for kind in ("ingest", "register", "amend"):
        await load.put_many(kind, 5)
    assert (await _account(stand)).clean
    jobs = stand.ledger.accepted.values()
    ingest = next(job for job in jobs if job.kind == "ingest")
    register = [job for job in jobs if job.kind == "register"][-1]
    amend = next(job for job in jobs if job.kind == "amend")
    hospitals, logs = stand.database["hospitals"], stand.database["logs"]

    # The effect of one accepted job is removed.
    dropped = await _remove(hospitals, ingest.hospital_id)
    assert (await _account(stand)).lost == [ingest.job_id]
    await hospitals.insert_one(dropped)

    # A job takes effect twice.
    await hospitals.update_one({"_id": ingest.hospital_id}, {"$inc": {"revision": 1}})
    assert [found.split(":")[1] for found in (await _account(stand)).doubled] == [ingest.hospital_id.split(":")[1]]
    await hospitals.update_one({"_id": ingest.hospital_id}, {"$inc": {"revision": -1}})

    # A registered hospital without its log entry, and an amendment without its log entry.
    for job in (register, amend):
        entry = await _remove(logs, log_id(job.job_id))
        account = await _account(stand)
        assert (account.broken and job is register) or job.job_id in account.lost
        await logs.insert_one(entry)

    # An amendment and a registration are undone, but their log entries are kept.
    for job, undone in ((amend, {"$inc": {"revision": -1}}), (register, {"$set": {"status": "partial"}})):
        before = await _remove(hospitals, job.hospital_id)
        await hospitals.insert_one(before)
        await hospitals.update_one({"_id": job.hospital_id}, undone)
        assert [found.partition(": ")[0] for found in (await _account(stand)).broken] == [job.hospital_id]
        await hospitals.replace_one({"_id": job.hospital_id}, before)

    # A log entry that no job asked for, and a log entry that was changed.
    entry = await _remove(logs, log_id(register.job_id))
    await logs.insert_one(entry)
    await logs.insert_one({**entry, "_id": "audit:unknown", "hospital_id": "faults:unknown"})
    assert (await _account(stand)).unexpected == ["faults:unknown"]
    await logs.delete_one({"_id": "audit:unknown"})
    await logs.update_one({"_id": entry["_id"]}, {"$set": {"actor": "another actor"}})
    assert len((await _account(stand)).broken) == 1
    await logs.replace_one({"_id": entry["_id"]}, entry)

    # The ledger is not settled while a job is queued.
    await stand.redis.zadd("arq:queue", {"waiting": 4e12})
    with pytest.raises(TimeoutError, match="arq:queue"):
        await stand.ledger.settle(0.2)
    await stand.redis.zrem("arq:queue", "waiting")
    stand.row.faults = 8
    await stand.balance()


async def test_row_0_the_ledger_records_when_effects_were_acknowledged(stand: Stand) -> None:
    await stand.worker()
    (member,) = stand.mongo_server.members
    async with fail_command(member, ["findAndModify"], blockConnection=True, blockTimeMS=500) as injected:
        await stand.load().put("ingest")
        await stand.ledger.settle(30)
    stand.row.faults = injected.times
    (acknowledged,) = (await stand.balance()).written_at
    hospital = await stand.database["hospitals"].find_one({})
    assert hospital is not None
    assert acknowledged - hospital["created_at"] >= timedelta(milliseconds=500)
