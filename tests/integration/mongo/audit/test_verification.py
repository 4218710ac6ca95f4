import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument

from worker.mongo.audit import verification
from worker.mongo.audit.chain import Finding, Head, Reference
from worker.mongo.audit.log import entry_hash
from worker.mongo.audit.references import ReferenceStream
from worker.mongo.audit.verification import read_heads, verify_chain
from worker.mongo.client import Document, MongoHandle

Make = Callable[..., dict[str, Any]]
BY = {"actor": "Ada", "reason": "checked"}


@pytest.fixture(autouse=True)
async def chains(run_job: Any, record: Make) -> None:
    """Two hospitals with three entries each, holding every type of value that a hospital can have."""
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


async def findings(
    mongo: MongoHandle, hospital_id: str | None = None, heads: list[Head] | None = None
) -> list[tuple[str, str, int | None, str | None]]:
    found: list[Finding] = []
    report = await verify_chain(mongo, hospital_id, heads=heads or (), found=found.append)
    assert (report.findings, report.first) == (len(found), found[0] if found else None)
    assert report.ok is not bool(found)
    return [(finding.hospital_id, finding.problem, finding.seq, finding.log_id) for finding in found]


async def entry_of(mongo: MongoHandle, job: str) -> Document:
    entry = await mongo.logs.find_one({"_id": f"audit:{job}"})
    assert entry is not None
    return entry


async def tamper(mongo: MongoHandle, entry: Document) -> None:
    """Write an entry as an attacker would: directly, bypassing the validator."""
    await mongo.logs.replace_one({"_id": entry["_id"]}, entry, upsert=True, bypass_document_validation=True)


async def test_intact_chains_have_no_findings(mongo: MongoHandle) -> None:
    report = await verify_chain(mongo)
    assert (report.ok, report.entries, report.chains, report.first) == (True, 6, 2, None)
    report = await verify_chain(mongo, "cms:2")
    assert (report.ok, report.entries, report.chains) == (True, 3, 1)


@pytest.mark.parametrize(
    ("field", "value", "problem", "seq", "job"),
    [
        ("before", None, "wrong_hash", 2, "amend-2"),
        ("after", None, "wrong_hash", 2, "amend-2"),
        ("after.attributes.b", 1, "wrong_hash", 2, "amend-2"),
        ("actor", "Eve", "wrong_hash", 2, "amend-2"),
        ("reason", "another", "wrong_hash", 2, "amend-2"),
        ("event", "withdrawn", "wrong_hash", 2, "amend-2"),
        ("job_id", "another", "wrong_hash", 2, "amend-2"),
        ("at", datetime(2020, 1, 1, tzinfo=UTC), "wrong_hash", 2, "amend-2"),
        ("at", DatetimeMS(2**62), "wrong_hash", 2, "amend-2"),
        ("prev_hash", "0" * 64, "wrong_prev_hash", 2, "amend-2"),
        ("prev_hash", None, "wrong_prev_hash", 2, "amend-2"),
        ("hash", "0" * 64, "wrong_hash", 2, "amend-2"),
        ("seq", 9, "wrong_seq", 3, "again-2"),
        ("seq", "2", "wrong_seq", 3, "again-2"),
        ("event", "blessed", "malformed", 2, "amend-2"),
        ("reason", b"", "malformed", 2, "amend-2"),
        ("more", 1, "malformed", 2, "amend-2"),
    ],
)
async def test_a_changed_field_is_reported_at_the_first_bad_entry(
    mongo: MongoHandle, field: str, value: Any, problem: str, seq: int, job: str
) -> None:
    await mongo.logs.update_one({"_id": "audit:amend-2"}, {"$set": {field: value}}, bypass_document_validation=True)
    expected = [("cms:2", problem, seq, f"audit:{job}")]
    assert await findings(mongo) == await findings(mongo, "cms:2") == expected
    assert await findings(mongo, "cms:1") == []


async def test_an_entry_moved_to_another_hospital_is_reported_in_both_chains(mongo: MongoHandle) -> None:
    await mongo.logs.update_one({"_id": "audit:amend-1"}, {"$set": {"hospital_id": "cms:9"}})
    assert await findings(mongo) == [
        ("cms:1", "wrong_seq", 3, "audit:again-1"),
        ("cms:9", "wrong_seq", 2, "audit:amend-1"),
    ]


async def test_an_entry_or_hospital_whose_id_is_not_text_is_reported(mongo: MongoHandle) -> None:
    entry = await entry_of(mongo, "amend-1")
    await tamper(mongo, entry | {"_id": "x", "hospital_id": 7})
    hospital = await mongo.hospitals.find_one({"_id": "cms:1"})
    assert hospital is not None
    await mongo.hospitals.insert_one(hospital | {"_id": 8}, bypass_document_validation=True)
    assert sorted(await findings(mongo)) == [("7", "malformed", 2, "x"), ("8", "unlogged", None, None)]


async def test_invalid_utf8_is_reported(mongo: MongoHandle) -> None:
    stored = bson.encode(await entry_of(mongo, "amend-2"))
    await mongo.logs.delete_one({"_id": "audit:amend-2"})
    broken: Any = RawBSONDocument(stored.replace(b"checked", b"check\xff\xff"))
    await mongo.logs.insert_one(broken, bypass_document_validation=True)
    assert await findings(mongo) == [("cms:2", "wrong_hash", 2, "audit:amend-2")]


async def test_a_changed_entry_with_a_new_hash_breaks_the_link_to_the_next_entry(mongo: MongoHandle) -> None:
    entry = await entry_of(mongo, "amend-1") | {"reason": "another"}
    await tamper(mongo, entry | {"hash": entry_hash(entry)})
    assert await findings(mongo) == [("cms:1", "wrong_prev_hash", 3, "audit:again-1")]


@pytest.mark.parametrize(("removed", "found", "seq"), [("register-2", "amend-2", 2), ("amend-2", "again-2", 3)])
async def test_a_removed_entry_is_reported(mongo: MongoHandle, removed: str, found: str, seq: int) -> None:
    await mongo.logs.delete_one({"_id": f"audit:{removed}"})
    assert await findings(mongo) == [("cms:2", "wrong_seq", seq, f"audit:{found}")]


async def test_reordered_entries_are_reported(mongo: MongoHandle) -> None:
    for job, seq in (("amend-2", 9), ("again-2", 2), ("amend-2", 3)):
        await mongo.logs.update_one({"_id": f"audit:{job}"}, {"$set": {"seq": seq}})
    assert await findings(mongo) == [("cms:2", "wrong_prev_hash", 2, "audit:again-2")]


async def test_a_forged_entry_within_or_at_the_end_is_reported(mongo: MongoHandle) -> None:
    last = await entry_of(mongo, "again-1")
    forged = last | {"_id": "audit:forged", "seq": 4, "prev_hash": last["hash"]}
    await tamper(mongo, forged)
    assert await findings(mongo) == [("cms:1", "wrong_hash", 4, "audit:forged")]
    forged |= {"event": "amended", "after": forged["after"] | {"beds": 6}}
    await tamper(mongo, forged | {"hash": entry_hash(forged)})
    assert await findings(mongo) == [("cms:1", "state_differs", 4, "audit:forged")]
    await mongo.logs.update_one({"_id": "audit:again-1"}, {"$set": {"seq": 5}})
    await tamper(mongo, forged | {"seq": 3})
    assert await findings(mongo) == [("cms:1", "wrong_prev_hash", 3, "audit:forged")]


async def test_registered_hospitals_without_entries_are_reported(mongo: MongoHandle) -> None:
    await mongo.logs.delete_many({})
    unlogged = [(hospital_id, "unlogged", None, None) for hospital_id in ("cms:1", "cms:2")]
    assert await findings(mongo) == unlogged
    assert await findings(mongo, "cms:1") == unlogged[:1]


async def test_a_registered_hospital_changed_outside_the_log_is_reported_by_field(
    mongo: MongoHandle,
) -> None:
    await mongo.hospitals.update_one({"_id": "cms:2"}, {"$set": {"city": "X", "attributes.b": 1}})
    report = await verify_chain(mongo)
    assert report.first == Finding(
        "cms:2",
        "state_differs",
        2,
        "audit:amend-2",
        "the hospital differs from its log in: attributes, city",
    )


async def test_entries_removed_from_the_end_are_reported_if_they_changed_the_hospital(mongo: MongoHandle) -> None:
    await mongo.logs.delete_many({"_id": {"$in": ["audit:amend-2", "audit:again-2"]}})
    assert await findings(mongo) == [("cms:2", "state_differs", 1, "audit:register-2")]


@pytest.mark.parametrize("left", [None, "partial"])
async def test_a_registered_hospital_removed_without_log_entry_is_reported(
    mongo: MongoHandle, left: str | None
) -> None:
    if left is None:
        await mongo.hospitals.delete_one({"_id": "cms:1"})
    else:
        await mongo.hospitals.update_one({"_id": "cms:1"}, {"$set": {"status": left}})
    assert await findings(mongo) == [("cms:1", "not_registered", 2, "audit:amend-1")]


async def test_a_withdrawn_hospital_restored_outside_the_log_is_reported(mongo: MongoHandle, run_job: Any) -> None:
    hospital = await mongo.hospitals.find_one({"_id": "cms:2"})
    assert hospital is not None
    await run_job("withdraw_hospital", {"hospital_id": "cms:2", **BY})
    assert await findings(mongo) == []
    await mongo.hospitals.insert_one(hospital)
    assert await findings(mongo) == [("cms:2", "unlogged", None, None)]


async def test_exported_heads_reveal_removed_and_rewritten_entries(mongo: MongoHandle, run_job: Any) -> None:
    heads = [head async for head in read_heads(mongo)]
    assert [(head.hospital_id, head.seq) for head in heads] == [("cms:1", 3), ("cms:2", 3)]
    await run_job("amend_hospital", {"hospital_id": "cms:1", "changes": {"beds": 7}, **BY}, "later")
    assert await findings(mongo, heads=heads) == []

    refused = await entry_of(mongo, "again-2")
    await mongo.logs.delete_one({"_id": "audit:again-2"})
    assert await findings(mongo) == []
    cut = [("cms:2", "head_missing", 3, None)]
    assert await findings(mongo, heads=heads) == await findings(mongo, "cms:2", heads) == cut

    rewritten = refused | {"actor": "Eve"}
    await tamper(mongo, rewritten | {"hash": entry_hash(rewritten)})
    assert await findings(mongo) == []
    assert await findings(mongo, heads=heads) == [("cms:2", "head_rewritten", 3, "audit:again-2")]

    for collection, key in ((mongo.logs, "hospital_id"), (mongo.hospitals, "_id")):
        await collection.delete_many({key: {"$in": ["cms:1", "cms:2"]}})
    assert await findings(mongo) == []
    gone = [("cms:1", "head_missing", 3, None), ("cms:2", "head_missing", 3, None)]
    assert await findings(mongo, heads=heads) == gone


async def test_an_act_between_reading_hospital_and_chain_is_not_a_finding(
    mongo: MongoHandle, run_job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked_again: list[str] = []
    verify_one = verification._verify_one

    async def observed(handle: MongoHandle, hospital_id: str, *rest: Any) -> Any:
        checked_again.append(hospital_id)
        return await verify_one(handle, hospital_id, *rest)

    class Overtaken(ReferenceStream):
        async def of(self, hospital_id: str) -> Reference:
            reference = await super().of(hospital_id)
            amendment = {"hospital_id": hospital_id, "changes": {"beds": 6}, **BY}
            await run_job("amend_hospital", amendment, f"meanwhile-{hospital_id}")
            return reference

    monkeypatch.setattr(verification, "_verify_one", observed)
    monkeypatch.setattr(verification, "ReferenceStream", Overtaken)
    # A larger batch would have been read before the amendment was made, and would not contain it.
    monkeypatch.setattr(verification, "_BATCH", 2)
    assert await findings(mongo) == []
    assert checked_again == ["cms:1", "cms:2"]


async def test_a_check_while_jobs_run_has_no_findings(mongo: MongoHandle, run_job: Any, record: Make) -> None:
    async def act(external_id: str) -> None:
        payload = {"record": record(external_id=external_id), **BY}
        hospital_id = f"cms:{external_id}"
        for number in range(3):
            job = f"{external_id}-{number}"
            await run_job("register_hospital", payload, f"register:{job}")
            amendment = {"hospital_id": hospital_id, "changes": {"beds": number}, **BY}
            await run_job("amend_hospital", amendment, f"amend:{job}")
            await run_job("register_hospital", payload, f"again:{job}")
            await run_job("withdraw_hospital", {"hospital_id": hospital_id, **BY}, f"withdraw:{job}")

    acting = asyncio.gather(*(act(f"a{number}") for number in range(8)))
    while not acting.done():
        assert await findings(mongo) == []
    await acting
    report = await verify_chain(mongo)
    assert (report.ok, report.entries) == (True, 6 + 8 * 3 * 4)


async def test_jobs_only_insert_into_the_log(mongo: MongoHandle, run_job: Any, record: Make) -> None:
    await mongo.database.command("profile", 2)
    try:
        payload = {"record": record(external_id="3"), **BY}
        await run_job("ingest_hospital", {"record": payload["record"]}, "ingest")
        await run_job("ingest_hospitals", {"records": [payload["record"]]}, "chunk")
        await run_job("register_hospital", payload, "register")
        await run_job("register_hospital", payload, "register")
        await run_job("register_hospital", payload, "again")
        await run_job("amend_hospital", {"hospital_id": "cms:3", "changes": {"beds": 1}, **BY}, "amend")
        await run_job("amend_hospital", {"hospital_id": "none", "changes": {"beds": 1}, **BY}, "amend-none")
        await run_job("withdraw_hospital", {"hospital_id": "cms:3", **BY}, "withdraw")
        await run_job("withdraw_hospital", {"hospital_id": "cms:3", **BY}, "withdraw-none")
    finally:
        await mongo.database.command("profile", 0)
    profile = mongo.database["system.profile"].find({"ns": mongo.logs.full_name})
    operations = {entry["op"] async for entry in profile}
    assert operations == {"insert", "query"}
    assert await mongo.logs.count_documents({"hospital_id": {"$in": ["cms:3", "none"]}}) == 6
