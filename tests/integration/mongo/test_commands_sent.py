"""Commands that are really sent, and their read and write concerns: no result on a healthy server shows them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from producers.testing import CommandLog
from tests.integration.mongo.conftest import Open, RunJob
from worker.contract import CORRECT_HOSPITAL, INGEST_HOSPITAL, INGEST_HOSPITALS, new_job_id
from worker.contract.outbox import Place
from worker.embedded import EmbeddedMongo
from worker.jobs import JOB_FUNCTIONS
from worker.jobs.context import CONTEXT_KEY, WorkerContext
from worker.mongo.client import MongoHandle
from worker.mongo.outbox import Outbox
from worker.mongo.reader import HospitalFilter, HospitalReader
from worker.mongo.registrations import Registrations
from worker.mongo.schema import ensure_schema
from worker.settings import load_settings

BY = {"actor": "dr-ito", "reason": "licence 4711"}
AUDITED = ("register_hospital", "amend_hospital", "withdraw_hospital")


def named(log: CommandLog, *names: str) -> list[Mapping[str, Any]]:
    return [it.command for it in log.commands if it.name in names]


def taken(log: CommandLog) -> list[str]:
    """Return the names and collections of the commands since the last call."""
    commands, log.commands = log.commands, []
    return [f"{it.name} {it.collection}" for it in commands]


@pytest.fixture
def recorder() -> Iterator[CommandLog]:
    with CommandLog() as log:
        yield log


@pytest.fixture
async def recorded(recorder: CommandLog, open_handle: Open, replica_set: EmbeddedMongo) -> Any:
    async with open_handle(replica_set.url, [recorder]) as (mongo, _):
        await ensure_schema(mongo)
        recorder.clear()
        yield mongo


@pytest.fixture
def act(recorded: MongoHandle) -> RunJob:
    context = WorkerContext(load_settings(), recorded, Registrations(recorded))
    functions = {function.__name__: function for function in JOB_FUNCTIONS}

    async def run(name: str, payload: dict[str, Any], job_id: str | None = None) -> Any:
        return await functions[name]({CONTEXT_KEY: context, "job_id": job_id or name}, payload)

    return run


async def register_amend_and_withdraw(act: RunJob, record: Callable[..., dict[str, Any]]) -> None:
    known = {"hospital_id": "cms:1"}
    assert (await act("register_hospital", {"record": record(), **BY})).status == "registered"
    assert (await act("amend_hospital", {**known, "changes": {"beds": 3}, **BY})).status == "amended"
    assert (await act("withdraw_hospital", {**known, **BY})).status == "withdrawn"


async def test_every_transaction_reads_a_snapshot(
    act: RunJob, record: Callable[..., dict[str, Any]], recorder: CommandLog
) -> None:
    await register_amend_and_withdraw(act, record)

    begun = [it.command for it in recorder.commands if it.command.get("startTransaction")]
    assert len(begun) == len(AUDITED)
    assert [command["readConcern"]["level"] for command in begun] == ["snapshot"] * len(AUDITED)


async def test_every_commit_waits_for_the_majority(
    act: RunJob, record: Callable[..., dict[str, Any]], recorder: CommandLog
) -> None:
    await register_amend_and_withdraw(act, record)

    commits = named(recorder, "commitTransaction")
    assert len(commits) == len(AUDITED)
    assert [command["writeConcern"]["w"] for command in commits] == ["majority"] * len(AUDITED)


async def test_every_write_outside_a_transaction_waits_for_the_majority(
    act: RunJob, record: Callable[..., dict[str, Any]], recorder: CommandLog
) -> None:
    await act("ingest_hospital", {"record": record()})
    await act("ingest_hospitals", {"records": [record(external_id="2")], "on_existing": "merge"})
    await act("correct_hospital", {"hospital_id": "cms:1", "changes": {"beds": 2}, "revision": 1})
    await act("discard_hospital", {"hospital_id": "cms:1", "revision": 2})

    writes = named(recorder, "insert", "update", "delete", "findAndModify")
    assert len(writes) >= 4
    assert {command.get("writeConcern", {}).get("w") for command in writes} == {"majority"}


async def test_every_read_of_a_reader_sees_only_what_the_majority_has(
    recorded: MongoHandle, recorder: CommandLog
) -> None:
    reader = HospitalReader(recorded)
    assert await reader.find_one("cms:1") is None
    assert [hospital async for hospital in reader.find(HospitalFilter(source="cms"))] == []

    reads = named(recorder, "find")
    assert len(reads) == 2
    assert [command["readConcern"]["level"] for command in reads] == ["majority"] * 2


async def test_the_outbox_is_read_as_the_majority_has_it_and_emptied_for_good(
    recorded: MongoHandle, recorder: CommandLog
) -> None:
    """A job of a transaction that is rolled back must not reach its queue."""
    outbox, place = Outbox(recorded), Place("cms:1", 1)
    await outbox.page(None)
    await outbox.find([place])
    await outbox.envelopes([place])
    await outbox.remove([place])

    reads = named(recorder, "find")
    assert [command["readConcern"]["level"] for command in reads] == ["majority"] * 3
    (removal,) = named(recorder, "delete")
    assert removal["writeConcern"]["w"] == "majority"


@pytest.mark.parametrize("keyed", [False, True])
async def test_only_a_job_with_a_key_that_changes_nothing_sends_more(
    act: RunJob, record: Callable[..., dict[str, Any]], recorder: CommandLog, keyed: bool
) -> None:
    """`IDEMPOTENCY_DAYS` costs a job without a key one shared read, whatever it does."""
    one, chunk, correction = (
        new_job_id(spec, "key" if keyed else None) for spec in (INGEST_HOSPITAL, INGEST_HOSPITALS, CORRECT_HOSPITAL)
    )
    asks, finds, upserts = "find applied_jobs", "find hospitals", "findAndModify hospitals"
    looks, stores = ([asks], ["update applied_jobs", finds, asks]) if keyed else ([], [])

    await act("ingest_hospital", {"record": record()}, one)
    assert taken(recorder) == [*looks, asks, upserts]
    await act("ingest_hospital", {"record": record()}, f"{one}2" if keyed else new_job_id(INGEST_HOSPITAL))
    assert taken(recorder) == [*looks, asks, upserts, *stores]
    await act("ingest_hospitals", {"records": [record(external_id="2")]}, chunk)
    assert taken(recorder) == [*looks, asks, finds, "insert hospitals", *stores[:1]]
    await act("correct_hospital", {"hospital_id": "cms:1", "revision": 9, "changes": {"beds": 1}}, correction)
    assert taken(recorder) == [*looks, asks, upserts, finds, *stores]
