from collections.abc import Callable
from typing import Any

import pytest

from worker.mongo.audit import entry_hash
from worker.mongo.client import MongoHandle
from worker.mongo.verification import BrokenEntry, verify_chain

Make = Callable[..., dict[str, Any]]
BY = {"actor": "Ada", "reason": "checked"}


@pytest.fixture(autouse=True)
async def chains(run_job: Any, record: Make) -> None:
    """Two hospitals of three entries each, with every type of value that a hospital can have."""
    full = {
        "attributes": {"f": 1e16, "g": -0.0, "i": 2**62, "b": True, "t": "名"},
        "location": {"coordinates": [0.1, -7]},
        "observed_at": "1969-12-31T23:59:59.999Z",
    }
    for external_id in ("1", "2"):
        job = f"-{external_id}"
        payload = {"record": record(external_id=external_id, **full), **BY}
        await run_job("register_hospital", payload, "register" + job)
        changes = {"hospital_id": f"cms:{external_id}", "changes": {"beds": 5}, **BY}
        await run_job("amend_hospital", changes, "amend" + job)
        await run_job("register_hospital", payload, "again" + job)


async def test_whole_chains_are_found_whole(mongo: MongoHandle) -> None:
    report = await verify_chain(mongo)
    assert (report.ok, report.entries, report.broken, report.unlogged_count) == (True, 6, None, 0)
    assert (await verify_chain(mongo, "cms:2")).entries == 3


async def test_a_changed_entry_is_found_and_named(mongo: MongoHandle) -> None:
    await mongo.logs.update_one({"_id": "audit:amend-2"}, {"$set": {"actor": "Eve"}})
    report = await verify_chain(mongo)
    assert not report.ok
    assert report.broken == BrokenEntry("audit:amend-2", "cms:2", 2, "wrong_hash")
    assert (await verify_chain(mongo, "cms:1")).ok


async def test_a_changed_entry_with_a_new_hash_breaks_the_chain_behind_it(mongo: MongoHandle) -> None:
    entry = await mongo.logs.find_one({"_id": "audit:amend-1"})
    assert entry is not None
    entry["reason"] = "another"
    entry["hash"] = entry_hash(entry)
    await mongo.logs.replace_one({"_id": entry["_id"]}, entry)
    report = await verify_chain(mongo)
    assert report.broken == BrokenEntry("audit:again-1", "cms:1", 3, "wrong_prev_hash")


@pytest.mark.parametrize(("removed", "found"), [("register-2", "amend-2"), ("amend-2", "again-2")])
async def test_a_removed_entry_is_found(mongo: MongoHandle, removed: str, found: str) -> None:
    await mongo.logs.delete_one({"_id": f"audit:{removed}"})
    report = await verify_chain(mongo)
    assert report.broken is not None
    assert (report.broken.log_id, report.broken.problem) == (f"audit:{found}", "missing_seq")


async def test_registered_hospitals_without_their_entry_are_named(mongo: MongoHandle) -> None:
    await mongo.logs.delete_many({"hospital_id": "cms:1"})
    report = await verify_chain(mongo)
    assert (report.broken, report.unlogged, report.unlogged_count) == (None, ("cms:1",), 1)
    assert (await verify_chain(mongo, "cms:1")).unlogged == ("cms:1",)
    assert (await verify_chain(mongo, "cms:2")).ok


async def test_a_registered_hospital_changed_past_the_log_is_named(mongo: MongoHandle) -> None:
    await mongo.hospitals.update_one({"_id": "cms:2"}, {"$set": {"city": "X"}, "$inc": {"revision": 1}})
    assert (await verify_chain(mongo)).unlogged == ("cms:2",)


async def test_a_hospital_registered_again_after_its_withdrawal_past_the_log_is_named(
    mongo: MongoHandle, run_job: Any
) -> None:
    hospital = await mongo.hospitals.find_one({"_id": "cms:2"})
    assert hospital is not None
    await run_job("withdraw_hospital", {"hospital_id": "cms:2", **BY})
    assert (await verify_chain(mongo)).ok
    await mongo.hospitals.insert_one(hospital)
    assert (await verify_chain(mongo)).unlogged == ("cms:2",)
