"""The role of deploy/mongo-init.js is enough for a worker, and makes the server keep the audit log append-only."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from tests.security.conftest import RunJob
from tests.security.guarded_mongo import DATABASE, GuardedMongo, as_root
from tests.security.scanner import CANARY
from worker.commands.schema import schema
from worker.contract.actions import Action
from worker.errors import ConfigurationError, OperationRefused
from worker.failing import EXIT_NOTHING_DONE
from worker.mongo.act_filter import ActFilter
from worker.mongo.actions import ACTIONS, newest_actions, store_actions
from worker.mongo.audit.entries import find_entries, newest_entries
from worker.mongo.audit.verification import verify_chain
from worker.mongo.claims import release_claims
from worker.mongo.client import MongoHandle, open_mongo, settled
from worker.mongo.errors import translated
from worker.mongo.imports import close_import
from worker.mongo.listing import describe_search, list_hospitals
from worker.mongo.outbox import Outbox
from worker.mongo.outbox_writes import OUTBOX, OUTBOX_HOSPITALS, add_to_outbox
from worker.mongo.reader import HospitalFilter, HospitalReader
from worker.mongo.schema import ensure_schema
from worker.settings import load_settings

_UNAUTHORIZED = 13
RECORD = {"hospital_name": "Mercy", "source": "cms", "external_id": "role"}
ACT = {"actor": "dr-ito", "reason": "licence"}
IMPORT = {
    "import_id": "role",
    "fingerprint": "ab" * 32,
    "file": {"name": "list.csv", "bytes": 120, "sha256": "cd" * 32, "rows": 1},
    "on_existing": "keep",
    "profile": "",
    "started_by": "ito@desk",
}
EXPIRING = {"key": {"at": 1}, "name": "expiring", "expireAfterSeconds": 2_000_000_000}

FORBIDDEN: dict[str, Callable[[MongoHandle], Awaitable[Any]]] = {
    "change an action": lambda mongo: mongo.database[ACTIONS].update_one({"_id": "x"}, {"$set": {"actor": "y"}}),
    "remove an action": lambda mongo: mongo.database[ACTIONS].delete_one({"_id": "x"}),
    "add a job to the outbox": lambda mongo: mongo.database[OUTBOX].insert_one({}),
    "change a job in the outbox": lambda mongo: mongo.database[OUTBOX].update_one({}, {"$set": {"job": "x"}}),
    "change an entry": lambda mongo: mongo.logs.update_one({}, {"$set": {"actor": "x"}}),
    "replace an entry": lambda mongo: mongo.logs.replace_one({}, {"actor": "x"}),
    "remove an entry": lambda mongo: mongo.logs.delete_one({}),
    "drop the log": lambda mongo: mongo.logs.drop(),
    "drop its index": lambda mongo: mongo.logs.drop_index("hospital_id_1_seq_1"),
    "rename the log": lambda mongo: mongo.logs.rename("old_logs"),
    "make entries expire": lambda mongo: mongo.database.command("createIndexes", "logs", indexes=[EXPIRING]),
    "change the validator": lambda mongo: mongo.database.command("collMod", "hospitals", validator={}),
    "make a collection": lambda mongo: mongo.database.create_collection("more", check_exists=False),
    "drop the hospitals": lambda mongo: mongo.hospitals.drop(),
    "drop the database": lambda mongo: mongo.client.drop_database(mongo.database.name),
    "read another database": lambda mongo: mongo.client["other"]["x"].find_one(),
    "make a user": lambda mongo: mongo.database.command("createUser", "x", pwd="x", roles=[]),
    "stop the server": lambda mongo: mongo.client.admin.command("shutdown"),
}

MISSING: dict[str, Callable[[MongoHandle], Awaitable[Any]]] = {
    "a validator": lambda mongo: mongo.database.command("collMod", "hospitals", validator={}),
    "an index": lambda mongo: mongo.hospitals.drop_index("hospital_name_1"),
    "a collection": lambda mongo: mongo.hospitals.drop(),
}


async def test_a_worker_starts_and_does_every_job_under_the_role(mongo: MongoHandle, run_job: RunJob) -> None:
    other = {"hospital_name": "Angel"}
    assert (await run_job("ingest_hospital", {"record": RECORD})).status == "created"
    chunk = {"records": [RECORD, other], "on_existing": "merge", "import_id": "i", "lines": [2, 3]}
    assert (await run_job("ingest_hospitals", chunk)).statuses == ["same", "created"]
    taken = {**chunk, "records": [{**RECORD, "city": "Other"}, other], "lines": [4, 5]}
    assert (await run_job("ingest_hospitals", taken)).statuses == ["collision", "same"]
    await release_claims(mongo, "i")
    assert await mongo.database["import_claims"].count_documents({}) == 0
    correction = {"hospital_id": "name:angel", "revision": 1, "changes": {"beds": 1}}
    assert (await run_job("correct_hospital", correction)).status == "corrected"
    assert (await run_job("discard_hospital", {"hospital_id": "name:angel", "revision": 2})).status == "discarded"
    assert (await run_job("register_hospital", {"record": RECORD, **ACT})).status == "registered"
    assert (await run_job("register_hospital", {"record": RECORD, **ACT})).status == "conflict"
    amendment = {"hospital_id": "cms:role", "changes": {"beds": 2}, **ACT}
    assert (await run_job("amend_hospital", amendment)).status == "amended"
    assert (await HospitalReader(mongo).find_one("cms:role") or {})["beds"] == 2
    assert (await run_job("withdraw_hospital", {"hospital_id": "cms:role", **ACT})).status == "withdrawn"
    assert (await verify_chain(mongo)).ok
    assert await mongo.logs.count_documents({"hospital_id": "cms:role"}) == 4


async def test_a_file_is_imported_under_the_role(mongo: MongoHandle, run_job: RunJob) -> None:
    # The hospital of the other jobs was withdrawn.
    record = {**RECORD, "external_id": "imported"}
    await run_job("ingest_hospital", {"record": record})
    opened = await run_job("open_import", IMPORT)
    assert (await run_job("preview_hospitals", {"records": [record]})).statuses == ["same"]
    chunk = {"records": [{**record, "beds": 3}], "import_id": "role", "lines": [2], "chunk": 0}
    assert (await run_job("ingest_hospitals", chunk)).statuses == ["kept"]
    assert (await run_job("ingest_hospitals", chunk)).statuses == ["kept"]
    assert [it.line for it in (await run_job("read_import_report", {"import_id": "role"})).entries] == [2]
    assert (await close_import(mongo, "role", "finished", {"kept": 1}, may_go_on=False)).status == "closed"
    (found,) = (await run_job("find_imports", {"import_id": "role"})).found
    assert (opened.found.state, found.state, found.counts) == ("running", "finished", {"kept": 1})
    assert await mongo.database["import_claims"].count_documents({}) == 0


async def test_the_commands_read_the_registry_under_the_role(mongo: MongoHandle, run_job: RunJob) -> None:
    # The hospital of the other jobs was withdrawn.
    await run_job("ingest_hospital", {"record": {**RECORD, "external_id": "listed"}})
    wanted = HospitalFilter(name_contains="merc", source="cms")
    assert "hospital_name_1" in await describe_search(mongo, wanted, order="hospital_name")
    found = list_hospitals(mongo, wanted, order="hospital_name")
    assert "cms:listed" in [hospital["_id"] async for hospital in found]
    entries = [entry["_id"] async for entry in find_entries(mongo, ActFilter(actor="dr-ito"))]
    newest = await newest_entries(mongo, ActFilter(actor="dr-ito"), limit=100)
    assert sorted(entry["_id"] for entry in newest) == sorted(entries)


async def test_acts_of_operators_are_recorded_and_listed_under_the_role(mongo: MongoHandle) -> None:
    action = Action(actor="ops@vm", act="pause", target="queue", ids=("arq:queue",))
    await store_actions(mongo, [action])
    await store_actions(mongo, [action])
    (found,) = await newest_actions(mongo, ActFilter(actor="ops@vm"), 10)
    assert found["ids"] == ["arq:queue"]


async def _add_to_outbox(mongo: MongoHandle) -> None:
    session: Any = await settled(mongo.client.start_session())
    await settled(session.start_transaction())
    await add_to_outbox(session, DATABASE, "cms:role", "ingest_hospital:outbox:1", b"", delay_ms=0)
    await session.commit_transaction()
    await session.end_session()


async def test_the_outbox_is_emptied_under_the_role(guarded: GuardedMongo, mongo: MongoHandle) -> None:
    outbox = Outbox(mongo)
    async with outbox.added() as next_added, as_root(guarded) as root:
        await _add_to_outbox(root)
        async with asyncio.timeout(20):
            while not (added := await next_added()):
                pass
    assert (await outbox.page(None)).heads == added
    assert list(await outbox.envelopes([added[0].place])) == await _places(outbox)
    assert (await outbox.size()).jobs == 1
    await outbox.remove(await _places(outbox))
    assert await _places(outbox) == []


async def _places(outbox: Outbox) -> list[Any]:
    return [job.place for job in (await outbox.page(None)).heads]


async def test_a_service_needs_few_rights_to_add_jobs_to_the_outbox(
    guarded: GuardedMongo, mongo: MongoHandle
) -> None:
    rights = {OUTBOX: ["insert"], OUTBOX_HOSPITALS: ["find", "insert", "update"]}
    privileges = [
        {"resource": {"db": DATABASE, "collection": collection}, "actions": actions}
        for collection, actions in rights.items()
    ]
    async with as_root(guarded) as root:
        await root.client.admin.command("createRole", "service", privileges=privileges, roles=[])
        await root.client.admin.command("createUser", "service", pwd=CANARY, roles=["service"])
    url = guarded.url.replace("//worker:", "//service:")
    service = open_mongo(load_settings(mongodb_url=url, mongodb_database=DATABASE))
    try:
        await _add_to_outbox(service)
        with pytest.raises(OperationFailure) as refused:
            await service.database[OUTBOX].find_one()
        assert refused.value.code == _UNAUTHORIZED
    finally:
        await service.close()
    outbox = Outbox(mongo)
    places = await _places(outbox)
    assert len(places) == 1
    await outbox.remove(places)


@pytest.mark.parametrize("name", FORBIDDEN)
async def test_the_server_refuses_the_worker_operations_that_no_job_needs(mongo: MongoHandle, name: str) -> None:
    with pytest.raises(OperationFailure) as refused:
        await FORBIDDEN[name](mongo)
    assert refused.value.code == _UNAUTHORIZED


async def test_the_log_cannot_be_overwritten_by_an_aggregation(mongo: MongoHandle) -> None:
    merge = {"into": "logs", "whenMatched": "replace"}
    for stage in ({"$out": "logs"}, {"$merge": merge}):
        with pytest.raises(OperationFailure) as refused:
            await mongo.hospitals.aggregate([stage]).to_list(None)  # type: ignore[attr-defined] # Motor's is no coroutine
        assert refused.value.code == _UNAUTHORIZED


@pytest.mark.parametrize("missing", [*MISSING])
async def test_an_error_about_a_missing_schema_names_the_command_to_run(
    guarded: GuardedMongo, mongo: MongoHandle, missing: str
) -> None:
    async with as_root(guarded) as root:
        try:
            await MISSING[missing](root)
            with pytest.raises(
                ConfigurationError, match=r"^MONGODB_URL: .* hospitals .*`hospital-worker schema`"
            ) as refused:
                await ensure_schema(mongo)
        finally:
            await ensure_schema(root)
    assert "\n" not in str(refused.value)
    assert CANARY not in str(refused.value)
    await ensure_schema(mongo)


async def test_a_password_that_was_changed_is_refused_and_no_outage(
    guarded: GuardedMongo, mongo: MongoHandle
) -> None:
    async with as_root(guarded) as root:
        await root.client.admin.command("updateUser", "worker", pwd="another")
        try:
            with (
                pytest.raises(OperationRefused, match=r"AuthenticationFailed \(18\); check the user"),
                translated(),
            ):
                # More at once than there are connections from before.
                await asyncio.gather(*(mongo.hospitals.find_one({"_id": ""}) for _ in range(50)))
        finally:
            await root.client.admin.command("updateUser", "worker", pwd=CANARY)


async def test_a_right_that_was_taken_away_is_refused_and_no_outage(
    guarded: GuardedMongo, mongo: MongoHandle, run_job: RunJob
) -> None:
    reading = [{"resource": {"db": DATABASE, "collection": "hospitals"}, "actions": ["find"]}]
    async with as_root(guarded) as root:
        found = await root.client.admin.command("rolesInfo", "worker", showPrivileges=True)
        await root.client.admin.command("updateRole", "worker", privileges=reading)
        try:
            for job in ("ingest_hospital", "register_hospital"):
                payload = {"record": RECORD} | (ACT if job == "register_hospital" else {})
                with pytest.raises(OperationRefused, match=r"Unauthorized \(13\); check the user"):
                    await run_job(job, payload)
        finally:
            privileges = found["roles"][0]["privileges"]
            await root.client.admin.command("updateRole", "worker", privileges=privileges)


async def test_the_schema_command_restores_the_schema(
    guarded: GuardedMongo, mongo: MongoHandle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MONGODB_DATABASE", DATABASE)
    async with as_root(guarded) as root:
        await MISSING["a validator"](root)
    monkeypatch.setenv("MONGODB_URL", guarded.url)
    with pytest.raises(SystemExit) as refused:
        await asyncio.to_thread(schema)
    assert refused.value.code == EXIT_NOTHING_DONE
    assert "may not change it" in capsys.readouterr().err
    monkeypatch.setenv("MONGODB_URL", guarded.root_url)
    await asyncio.to_thread(schema)
    assert capsys.readouterr().out == f"the schema of {DATABASE} is in place\n"
    await ensure_schema(mongo)
