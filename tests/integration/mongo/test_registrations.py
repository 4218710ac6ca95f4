import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from worker.contract import RegisterHospital
from worker.contract.validation import parse
from worker.errors import OutageError
from worker.jobs.context import CONTEXT_KEY, WorkerContext
from worker.jobs.register_hospital import register_hospital
from worker.mongo.audit.verification import verify_chain
from worker.mongo.client import MongoHandle
from worker.mongo.registrations import Registrations
from worker.settings import load_settings

Make = Callable[..., dict[str, Any]]
BY = {"actor": "Ada", "reason": "checked"}


async def log(mongo: MongoHandle, hospital_id: str = "cms:1") -> list[dict[str, Any]]:
    return [entry async for entry in mongo.logs.find({"hospital_id": hospital_id}, sort=[("seq", 1)])]


async def state(mongo: MongoHandle) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return await mongo.hospitals.find({}).to_list(None), await mongo.logs.find({}).to_list(None)


async def test_an_absent_hospital_is_inserted_and_logged(mongo: MongoHandle, run_job: Any, record: Make) -> None:
    outcome = await run_job("register_hospital", {"record": record(beds=3), **BY})
    assert (outcome.status, outcome.revision, outcome.hospital_id) == ("registered", 1, "cms:1")
    hospital = await mongo.hospitals.find_one({"_id": "cms:1"})
    (entry,) = await log(mongo)
    assert hospital is not None
    assert (hospital["status"], hospital["beds"]) == ("registered", 3)
    assert entry["_id"] == outcome.log_id
    assert (entry["event"], entry["seq"], entry["prev_hash"]) == ("registered", 1, None)
    assert (entry["actor"], entry["reason"], entry["job_id"]) == ("Ada", "checked", "register_hospital")
    assert (entry["before"], entry["after"]) == (None, hospital)


async def test_a_partial_hospital_is_promoted_and_the_record_merged_into_it(
    mongo: MongoHandle, run_job: Any, record: Make
) -> None:
    await run_job("ingest_hospital", {"record": record(city="A", beds=3, attributes={"a": 1})})
    payload = {"record": record(city="B", attributes={"b": 2}), "on_existing": "merge"}
    await run_job("ingest_hospital", payload, "merge")
    outcome = await run_job("register_hospital", {"record": record(city="C", phone="5"), **BY})
    assert (outcome.status, outcome.revision) == ("registered", 3)
    (entry,) = await log(mongo)
    assert (entry["before"]["status"], entry["before"]["city"]) == ("partial", "B")
    after = entry["after"]
    assert (after["status"], after["city"], after["beds"], after["phone"]) == ("registered", "C", 3, "5")
    assert after["attributes"] == {"a": 1, "b": 2}
    assert "applied_jobs" not in entry["before"] | after
    again = await run_job("ingest_hospital", payload, "merge")
    assert (again.status, again.revision) == ("merged", 2)


@pytest.mark.parametrize("jobs", [20, 50])
async def test_one_of_many_concurrent_registrations_succeeds_and_the_others_are_logged_as_rejected(
    mongo: MongoHandle, run_job: Any, record: Make, jobs: int
) -> None:
    started = asyncio.get_running_loop().time()
    outcomes = await asyncio.gather(
        *(run_job("register_hospital", {"record": record(), **BY}, f"job-{n}") for n in range(jobs))
    )
    assert asyncio.get_running_loop().time() - started < 20
    assert Counter((outcome.status, outcome.reason) for outcome in outcomes) == {
        ("registered", None): 1,
        ("conflict", "already_registered"): jobs - 1,
    }
    entries = await log(mongo)
    assert Counter(entry["event"] for entry in entries) == {
        "registered": 1,
        "registration_rejected": jobs - 1,
    }
    assert {entry["_id"] for entry in entries} == {outcome.log_id for outcome in outcomes}
    assert (await verify_chain(mongo)).ok


async def test_processes_that_compete_for_one_hospital_keep_one_chain(
    open_handle: Any, mongo: MongoHandle, replica_set: Any, record: Make
) -> None:
    """Each `Registrations` has its own locks, as in different processes."""
    request = parse(RegisterHospital, {"record": record(), **BY})
    deadline = asyncio.get_running_loop().time() + 30
    outcomes = await asyncio.gather(
        *(Registrations(mongo).register(request, f"job-{n}", deadline=deadline) for n in range(12))
    )
    assert Counter(outcome.status for outcome in outcomes) == {"registered": 1, "conflict": 11}
    assert [entry["seq"] for entry in await log(mongo)] == list(range(1, 13))
    assert (await verify_chain(mongo)).ok


async def test_concurrent_deliveries_of_one_registration_register_once(mongo: MongoHandle, record: Make) -> None:
    request = parse(RegisterHospital, {"record": record(), **BY})
    for job_id, status in (("first", "registered"), ("second", "conflict")):
        deadline = asyncio.get_running_loop().time() + 30
        outcomes = await asyncio.gather(
            *(Registrations(mongo).register(request, job_id, deadline=deadline) for _ in range(8))
        )
        assert {outcome.model_copy(update={"token": None}) for outcome in outcomes} == {
            outcomes[0].model_copy(update={"token": None})
        }
        assert outcomes[0].status == status
    assert [entry["job_id"] for entry in await log(mongo)] == ["first", "second"]


async def test_an_amendment_logs_the_states_before_and_after(
    mongo: MongoHandle, run_job: Any, record: Make
) -> None:
    await run_job("register_hospital", {"record": record(city="A", phone="5"), **BY})
    payload = {"hospital_id": "cms:1", "changes": {"city": "B", "phone": None}, "revision": 1, **BY}
    outcome = await run_job("amend_hospital", payload)
    assert (outcome.status, outcome.revision) == ("amended", 2)
    registered, amended = await log(mongo)
    assert (amended["event"], amended["seq"], amended["prev_hash"]) == ("amended", 2, registered["hash"])
    assert amended["before"] == registered["after"]
    assert amended["after"] == await mongo.hospitals.find_one({"_id": "cms:1"})
    assert (amended["after"]["city"], amended["after"].get("phone")) == ("B", None)
    assert amended["_id"] == outcome.log_id


async def test_a_withdrawal_logs_the_last_state_and_the_chain_outlives_the_hospital(
    mongo: MongoHandle, run_job: Any, record: Make
) -> None:
    await run_job("register_hospital", {"record": record(), **BY})
    outcome = await run_job("withdraw_hospital", {"hospital_id": "cms:1", **BY})
    assert (outcome.status, outcome.revision) == ("withdrawn", 1)
    assert await mongo.hospitals.find_one({"_id": "cms:1"}) is None
    await run_job("register_hospital", {"record": record(), **BY}, "anew")
    entries = await log(mongo)
    assert [entry["event"] for entry in entries] == ["registered", "withdrawn", "registered"]
    assert entries[1]["before"] == entries[0]["after"]
    assert entries[1]["after"] is None
    assert (await verify_chain(mongo)).ok


@pytest.mark.parametrize(
    ("job", "rejected", "extra"),
    [
        ("amend_hospital", "amendment_rejected", {"changes": {"city": "B"}}),
        ("withdraw_hospital", "withdrawal_rejected", {}),
    ],
)
async def test_a_rejected_act_changes_nothing_and_is_logged(
    mongo: MongoHandle, run_job: Any, record: Make, job: str, rejected: str, extra: dict[str, Any]
) -> None:
    payload = {"hospital_id": "cms:1", **extra, **BY}
    absent = await run_job(job, payload, "absent")
    assert (absent.status, absent.reason, absent.revision) == ("not_found", None, None)
    await run_job("ingest_hospital", {"record": record()})
    partial = await run_job(job, payload, "partial")
    assert (partial.status, partial.reason, partial.revision) == ("conflict", "not_registered", 1)
    await run_job("register_hospital", {"record": record(), **BY})
    stale = await run_job(job, {**payload, "revision": 7}, "stale")
    assert (stale.status, stale.reason, stale.revision) == ("conflict", "revision", 2)
    entries = await log(mongo)
    assert [entry["event"] for entry in entries] == [rejected, rejected, "registered", rejected]
    assert [entry["before"] for entry in entries] == [entry["after"] for entry in entries[:2]] + [
        entries[1]["after"],
        entries[2]["after"],
    ]
    again = await run_job(job, payload, "absent")
    assert again.model_copy(update={"token": None}) == absent.model_copy(update={"token": None})
    assert await log(mongo) == entries
    assert (await verify_chain(mongo)).ok


@pytest.mark.parametrize(
    ("job", "payload"),
    [
        ("ingest_hospital", {"record": {"hospital_name": "New"}}),
        ("ingest_hospital", {"record": {"hospital_name": "Partial", "phone": "B"}, "on_existing": "merge"}),
        ("ingest_hospitals", {"records": [{"hospital_name": "New"}, {"hospital_name": "Partial"}, 7]}),
        ("correct_hospital", {"hospital_id": "name:partial", "revision": 1, "changes": {"city": "B"}}),
        ("discard_hospital", {"hospital_id": "name:partial", "revision": 1}),
        ("register_hospital", {"record": {"hospital_name": "New"}, **BY}),
        ("register_hospital", {"record": {"hospital_name": "Partial"}, **BY}),
        ("register_hospital", {"record": {"hospital_name": "Registered"}, **BY}),
        ("amend_hospital", {"hospital_id": "name:registered", "changes": {"beds": 1}, "revision": 1, **BY}),
        ("amend_hospital", {"hospital_id": "name:partial", "changes": {"beds": 1}, **BY}),
        ("withdraw_hospital", {"hospital_id": "name:registered", **BY}),
        ("withdraw_hospital", {"hospital_id": "name:absent", **BY}),
    ],
)
async def test_a_redelivered_job_changes_nothing_and_returns_the_same_outcome(
    mongo: MongoHandle, run_job: Any, job: str, payload: dict[str, Any]
) -> None:
    await run_job("ingest_hospital", {"record": {"hospital_name": "Partial"}}, "set-up 1")
    await run_job("register_hospital", {"record": {"hospital_name": "Registered"}, **BY}, "set-up 2")
    first = await run_job(job, payload, "delivered")
    after_first = await state(mongo)
    again = await run_job(job, payload, "delivered")
    assert again.model_copy(update={"token": None}) == first.model_copy(update={"token": None})
    assert first.token
    assert again.token
    assert await state(mongo) == after_first


async def test_a_commit_whose_first_reply_is_lost_takes_effect_once(
    mongo: MongoHandle, run_job: Any, fail_command: Any, record: Make
) -> None:
    async with fail_command(["commitTransaction"], mode={"times": 1}, closeConnection=True):
        outcome = await run_job("register_hospital", {"record": record(), **BY})
    assert outcome.status == "registered"
    hospitals, entries = await state(mongo)
    assert (len(hospitals), len(entries)) == (1, 1)


async def test_a_registration_that_fails_after_its_first_write_stores_nothing(
    mongo: MongoHandle, run_job: Any, fail_command: Any, record: Make
) -> None:
    async with fail_command(["insert"], mode={"skip": 1}, errorCode=14031):
        with pytest.raises(OutageError):
            await run_job("register_hospital", {"record": record(), **BY})
    assert await state(mongo) == ([], [])


async def test_a_job_without_a_deadline_uses_the_job_timeout_of_the_settings(
    mongo: MongoHandle, fail_command: Any, record: Make
) -> None:
    context = WorkerContext(load_settings(worker_job_timeout=0.2), mongo, Registrations(mongo))
    ctx = {CONTEXT_KEY: context, "job_id": "job"}
    async with fail_command(["commitTransaction"], errorCode=64, errorLabels=["UnknownTransactionCommitResult"]):
        with pytest.raises(OutageError):
            await register_hospital(ctx, {"record": record(), **BY})
    await mongo.client.admin.command("killAllSessions", [])
    far_off = {**ctx, "job_deadline": asyncio.get_running_loop().time() + 30}
    async with fail_command(
        ["commitTransaction"], mode={"times": 8}, errorCode=64, errorLabels=["UnknownTransactionCommitResult"]
    ):
        assert (await register_hospital(far_off, {"record": record(), **BY})).status == "registered"
