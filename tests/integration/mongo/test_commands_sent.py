"""Commands that are really sent, and their read and write concerns: no result on a healthy server shows them."""

from collections.abc import Callable
from typing import Any

import pytest
from pymongo import monitoring

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


class Recorder(monitoring.CommandListener):
    """Keeps the commands of every client that is opened after it was registered."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.commands.append(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing is kept of an answer."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing is kept of an answer."""

    def named(self, *names: str) -> list[dict[str, Any]]:
        return [command for command in self.commands if next(iter(command)) in names]

    def taken(self) -> list[str]:
        """Return the names and collections of the commands since the last call."""
        commands, self.commands = self.commands, []
        return [f"{name} {command[name]}" for command in commands for name in [next(iter(command))]]


@pytest.fixture(scope="session")
def recorder() -> Recorder:
    recorder = Recorder()
    # The driver has no way to take a listener back. Later tests only fill its list.
    monitoring.register(recorder)
    return recorder


@pytest.fixture
async def recorded(recorder: Recorder, open_handle: Open, replica_set: EmbeddedMongo) -> Any:
    async with open_handle(replica_set.url) as (mongo, _):
        await ensure_schema(mongo)
        recorder.commands.clear()
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
    act: RunJob, record: Callable[..., dict[str, Any]], recorder: Recorder
) -> None:
    await register_amend_and_withdraw(act, record)

    begun = [command for command in recorder.commands if command.get("startTransaction")]
    assert len(begun) == len(AUDITED)
    assert [command["readConcern"]["level"] for command in begun] == ["snapshot"] * len(AUDITED)


async def test_every_commit_waits_for_the_majority(
    act: RunJob, record: Callable[..., dict[str, Any]], recorder: Recorder
) -> None:
    await register_amend_and_withdraw(act, record)

    commits = recorder.named("commitTransaction")
    assert len(commits) == len(AUDITED)
    assert [command["writeConcern"]["w"] for command in commits] == ["majority"] * len(AUDITED)


async def test_every_write_outside_a_transaction_waits_for_the_majority(
    act: RunJob, record: Callable[..., dict[str, Any]], recorder: Recorder
) -> None:
    await act("ingest_hospital", {"record": record()})
    await act("ingest_hospitals", {"records": [record(external_id="2")], "on_existing": "merge"})
    await act("correct_hospital", {"hospital_id": "cms:1", "changes": {"beds": 2}, "revision": 1})
    await act("discard_hospital", {"hospital_id": "cms:1", "revision": 2})

    writes = recorder.named("insert", "update", "delete", "findAndModify")
    assert len(writes) >= 4
    assert {command.get("writeConcern", {}).get("w") for command in writes} == {"majority"}


async def test_every_read_of_a_reader_sees_only_what_the_majority_has(
    recorded: MongoHandle, recorder: Recorder
) -> None:
    reader = HospitalReader(recorded)
    assert await reader.find_one("cms:1") is None
    assert [hospital async for hospital in reader.find(HospitalFilter(source="cms"))] == []

    reads = recorder.named("find")
    assert len(reads) == 2
    assert [command["readConcern"]["level"] for command in reads] == ["majority"] * 2


async def test_the_outbox_is_read_as_the_majority_has_it_and_emptied_for_good(
    recorded: MongoHandle, recorder: Recorder
) -> None:
    """A job of a transaction that is rolled back must not reach its queue."""
    outbox, place = Outbox(recorded), Place("cms:1", 1)
    await outbox.page(None)
    await outbox.find([place])
    await outbox.envelopes([place])
    await outbox.remove([place])

    reads = recorder.named("find")
    assert [command["readConcern"]["level"] for command in reads] == ["majority"] * 3
    (removal,) = recorder.named("delete")
    assert removal["writeConcern"]["w"] == "majority"


@pytest.mark.parametrize("keyed", [False, True])
async def test_only_a_job_with_a_key_that_changes_nothing_sends_more(
    act: RunJob, record: Callable[..., dict[str, Any]], recorder: Recorder, keyed: bool
) -> None:
    """`IDEMPOTENCY_DAYS` costs a job without a key one shared read, whatever it does."""
    one, chunk, correction = (
        new_job_id(spec, "key" if keyed else None) for spec in (INGEST_HOSPITAL, INGEST_HOSPITALS, CORRECT_HOSPITAL)
    )
    asks, finds, upserts = "find applied_jobs", "find hospitals", "findAndModify hospitals"
    looks, stores = ([asks], ["update applied_jobs", finds, asks]) if keyed else ([], [])

    await act("ingest_hospital", {"record": record()}, one)
    assert recorder.taken() == [*looks, asks, upserts]
    await act("ingest_hospital", {"record": record()}, f"{one}2" if keyed else new_job_id(INGEST_HOSPITAL))
    assert recorder.taken() == [*looks, asks, upserts, *stores]
    await act("ingest_hospitals", {"records": [record(external_id="2")]}, chunk)
    assert recorder.taken() == [*looks, asks, finds, "insert hospitals", *stores[:1]]
    await act("correct_hospital", {"hospital_id": "cms:1", "revision": 9, "changes": {"beds": 1}}, correction)
    assert recorder.taken() == [*looks, asks, upserts, finds, *stores]
