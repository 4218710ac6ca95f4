"""The ledger itself: it has to notice what it is there to notice."""

from datetime import timedelta
from typing import Any

import pytest
from pymongo.asynchronous.collection import AsyncCollection

from tests.faults.injectors.fail_command import fail_command
from tests.faults.ledger import Account
from tests.faults.stand import Stand
from worker.mongo.audit.log import log_id


async def _take(collection: AsyncCollection[dict[str, Any]], key: str) -> dict[str, Any]:
    found = await collection.find_one_and_delete({"_id": key})
    assert found is not None
    return found


async def _done(stand: Stand) -> Account:
    await stand.ledger.settle(30)
    return await stand.ledger.account()


async def test_row_0_the_ledger_notices_what_is_wrong(stand: Stand) -> None:
    load = stand.load(amended=2)
    await stand.worker()
    await load.prepare()
    for kind in ("ingest", "register", "amend"):
        await load.put_many(kind, 5)
    assert (await _done(stand)).clean
    jobs = stand.ledger.accepted.values()
    ingest = next(job for job in jobs if job.kind == "ingest")
    register = [job for job in jobs if job.kind == "register"][-1]
    amend = next(job for job in jobs if job.kind == "amend")
    hospitals, logs = stand.database["hospitals"], stand.database["logs"]

    # One accepted job is dropped on purpose.
    dropped = await _take(hospitals, ingest.hospital_id)
    assert (await _done(stand)).lost == [ingest.job_id]
    await hospitals.insert_one(dropped)

    # A job takes effect twice.
    await hospitals.update_one({"_id": ingest.hospital_id}, {"$inc": {"revision": 1}})
    assert [found.split(":")[1] for found in (await _done(stand)).doubled] == [ingest.hospital_id.split(":")[1]]
    await hospitals.update_one({"_id": ingest.hospital_id}, {"$inc": {"revision": -1}})

    # A hospital without its entry, and an amendment without.
    for job in (register, amend):
        entry = await _take(logs, log_id(job.job_id))
        account = await _done(stand)
        assert (account.broken and job is register) or job.job_id in account.lost
        await logs.insert_one(entry)

    # An effect undone, its entry kept; and a registration undone.
    for job, undone in ((amend, {"$inc": {"revision": -1}}), (register, {"$set": {"status": "partial"}})):
        before = await _take(hospitals, job.hospital_id)
        await hospitals.insert_one(before)
        await hospitals.update_one({"_id": job.hospital_id}, undone)
        assert [found.partition(": ")[0] for found in (await _done(stand)).broken] == [job.hospital_id]
        await hospitals.replace_one({"_id": job.hospital_id}, before)

    # An entry that nobody asked for, and one that was changed.
    entry = await _take(logs, log_id(register.job_id))
    await logs.insert_one(entry)
    await logs.insert_one({**entry, "_id": "audit:nobody", "hospital_id": "faults:nobody"})
    assert (await _done(stand)).unasked == ["faults:nobody"]
    await logs.delete_one({"_id": "audit:nobody"})
    await logs.update_one({"_id": entry["_id"]}, {"$set": {"actor": "somebody else"}})
    assert len((await _done(stand)).broken) == 1
    await logs.replace_one({"_id": entry["_id"]}, entry)

    # What is queued still has not been settled.
    await stand.redis.zadd("arq:queue", {"waiting": 4e12})
    with pytest.raises(TimeoutError, match="arq:queue"):
        await stand.ledger.settle(0.2)
    await stand.redis.zrem("arq:queue", "waiting")
    stand.row.faults = 8
    await stand.balance()


async def test_row_0_the_ledger_tells_when_effects_were_acknowledged(stand: Stand) -> None:
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
