"""The outbox in MongoDB: written in transactions of its callers, read by the relay, with both drivers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Self, cast

import pytest
import pytest_asyncio
from bson import ObjectId
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from producers.outbox import HospitalOutbox
from producers.receipts import Receipt
from tests.integration.mongo.conftest import FailCommand
from tests.support.foreign_documents import FOREIGN, document, with_bytes
from worker.codec import Codec
from worker.contract import JOBS, HospitalChanges, HospitalRecord
from worker.contract.outbox import Place
from worker.contract.validation import parse
from worker.embedded import EmbeddedMongo
from worker.errors import ConfigurationError, InvalidPayload, TransientError
from worker.mongo import outbox_writes
from worker.mongo.client import Document, MongoHandle, Session, settled
from worker.mongo.outbox import PAGE, Outbox
from worker.mongo.outbox_writes import add_to_outbox
from worker.settings import load_settings

MERCY = HospitalRecord(hospital_name="Mercy", source="cms", external_id="1")
BY: Any = {"actor": "dr-ito", "reason": "licence 4711"}
PASSES_THE_VALIDATOR = {
    "a number of the job that is too high",
    "a due time after the year 9999",
    "a job that is no UTF-8",
    "a hospital that is no UTF-8",
}
# A call that adds one job, for each kind of job.
CALLS: dict[str, Callable[[HospitalOutbox, Any], Coroutine[Any, Any, Receipt[Any]]]] = {
    "ingest_hospital": lambda outbox, session: outbox.ingest_hospital(session, MERCY, on_existing="merge"),
    "correct_hospital": lambda outbox, session: outbox.correct_hospital(
        session, "cms:1", HospitalChanges(beds=3), revision=1
    ),
    "discard_hospital": lambda outbox, session: outbox.discard_hospital(session, "cms:1", revision=1),
    "register_hospital": lambda outbox, session: outbox.register_hospital(session, MERCY, **BY),
    "amend_hospital": lambda outbox, session: outbox.amend_hospital(
        session, "cms:1", HospitalChanges(beds=3), **BY
    ),
    "withdraw_hospital": lambda outbox, session: outbox.withdraw_hospital(session, "cms:1", **BY),
}


@pytest_asyncio.fixture
async def writer(mongo: MongoHandle) -> AsyncIterator[HospitalOutbox]:
    """An outbox that no Redis is there for."""
    settings = load_settings(redis_url="redis://127.0.0.1:1/0", mongodb_database=mongo.database.name)
    async with HospitalOutbox.connect(settings, patience=0) as outbox:
        yield outbox


async def begin(mongo: MongoHandle) -> Session:
    session: Session = await settled(mongo.client.start_session())
    await settled(cast(Any, session.start_transaction()))
    return session


async def in_transaction(mongo: MongoHandle, body: Callable[[Session], Coroutine[Any, Any, Any]]) -> Any:
    """Run `body` in a transaction and commit it; again after a conflict, as `with_transaction` does."""
    while True:
        session = await begin(mongo)
        try:
            result = await body(session)
            await session.commit_transaction()
        except OperationFailure as error:
            if not error.has_error_label("TransientTransactionError"):
                raise
        else:
            return result
        finally:
            await session.end_session()


async def add(
    mongo: MongoHandle, hospital_id: str, job_id: str = "ingest_hospital:outbox:1", count: int = 1
) -> None:
    async def body(session: Session) -> None:
        for _ in range(count):
            await add_to_outbox(session, mongo.database.name, hospital_id, job_id, b"envelope", delay_ms=0)

    await in_transaction(mongo, body)


@pytest.mark.parametrize("name", CALLS)
async def test_a_committed_job_is_in_the_outbox_as_its_producer_would_have_enqueued_it(
    mongo: MongoHandle, writer: HospitalOutbox, name: str
) -> None:
    receipt = await in_transaction(mongo, lambda session: CALLS[name](writer, session))

    (job,) = (await Outbox(mongo).page(None)).heads
    envelopes = await Outbox(mongo).envelopes([job.place])
    assert (job.place, job.job_id, job.delay_ms) == (Place("cms:1", 1), receipt.job_id, 0)
    assert job.job_id.startswith(f"{name}:outbox:")
    message = Codec().decode(envelopes[job.place])
    assert (message["f"], len(message["d"])) == (name, 16)
    assert parse(JOBS[name].payload, message["a"][0])


async def test_an_aborted_job_is_never_seen(mongo: MongoHandle, writer: HospitalOutbox) -> None:
    outbox = Outbox(mongo)
    async with outbox.added() as next_added:
        session = await begin(mongo)
        await writer.register_hospital(session, MERCY, **BY)
        assert not (await outbox.page(None)).heads
        await session.abort_transaction()
        await session.end_session()
        await add(mongo, "cms:2")

        added = await first_added(next_added)
    assert [job.place for job in added] == [Place("cms:2", 1)]
    assert [job.place for job in (await outbox.page(None)).heads] == [Place("cms:2", 1)]


async def first_added(next_added: Callable[[], Any]) -> Any:
    async with asyncio.timeout(20):
        while not (added := await next_added()):
            pass
    return added


async def test_a_job_without_a_transaction_is_refused(mongo: MongoHandle, writer: HospitalOutbox) -> None:
    session: Session = await settled(mongo.client.start_session())
    with pytest.raises(ConfigurationError, match="needs a session with a transaction"):
        await writer.register_hospital(session, MERCY, **BY)
    await session.end_session()
    assert not (await Outbox(mongo).page(None)).heads


async def test_an_idempotency_key_is_refused(mongo: MongoHandle, writer: HospitalOutbox) -> None:
    session = await begin(mongo)
    with pytest.raises(InvalidPayload, match="idempotency_key: the outbox takes none"):
        await writer.register_hospital(session, MERCY, **BY, idempotency_key="k")
    await session.abort_transaction()
    await session.end_session()


async def test_a_delay_is_noted(mongo: MongoHandle, writer: HospitalOutbox) -> None:
    await in_transaction(mongo, lambda session: writer.ingest_hospital(session, MERCY, delay=60))

    (job,) = (await Outbox(mongo).page(None)).heads
    assert job.delay_ms == 60_000
    assert (await Outbox(mongo).size()).oldest_due == job.due


async def test_a_delay_counts_by_the_clock_of_mongodb(
    mongo: MongoHandle, writer: HospitalOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Behind(datetime):
        """The clock of a service that is two hours behind."""

        @classmethod
        def now(cls, tz: Any = None) -> Self:
            return super().now(tz) - timedelta(hours=2)

    monkeypatch.setattr(outbox_writes, "datetime", Behind)
    before = datetime.now(UTC)
    await in_transaction(mongo, lambda session: writer.ingest_hospital(session, MERCY, delay=60))

    (job,) = (await Outbox(mongo).page(None)).heads
    # Both clocks are this machine's; MongoDB counts in milliseconds.
    assert job.due >= before + timedelta(seconds=59.9)
    assert job.left_ms(before) == 60_000


@pytest.mark.parametrize("delay", [1e12, 1e300])
async def test_a_delay_that_is_longer_than_any_calendar_is_stored(
    mongo: MongoHandle, writer: HospitalOutbox, delay: float
) -> None:
    await in_transaction(mongo, lambda session: writer.ingest_hospital(session, MERCY, delay=delay))

    (job,) = (await Outbox(mongo).page(None)).heads
    assert job.due.year > 3000
    assert job.left_ms(datetime.now(UTC)) > 900 * 365 * 86_400_000


async def test_a_session_of_a_blocking_client_is_refused_before_anything_is_written(
    mongo: MongoHandle, writer: HospitalOutbox, replica_set: EmbeddedMongo
) -> None:
    with MongoClient[Document](replica_set.url) as client, client.start_session() as session:
        with session.start_transaction(), pytest.raises(ConfigurationError, match="not of a blocking one"):
            await writer.register_hospital(cast(Any, session), MERCY, **BY)
        assert client[mongo.database.name]["outbox_hospitals"].find_one() is None


async def test_jobs_of_one_hospital_are_numbered_without_gaps_whoever_adds_them(mongo: MongoHandle) -> None:
    async def add_one() -> None:
        await add(mongo, "cms:1")

    async def abort_one() -> None:
        session = await begin(mongo)
        with suppress(OperationFailure):
            await add_to_outbox(session, mongo.database.name, "cms:1", "never", b"", delay_ms=0)
        await session.abort_transaction()
        await session.end_session()

    async with asyncio.timeout(60):
        await asyncio.gather(*(add_one() for _ in range(15)), *(abort_one() for _ in range(5)))

    found = await Outbox(mongo).find([Place("cms:1", seq) for seq in range(30)])
    assert [job.place.seq for job in found] == list(range(1, 16))
    assert "never" not in [job.job_id for job in found]


async def test_pages_have_the_first_job_of_each_hospital(mongo: MongoHandle) -> None:
    outbox = Outbox(mongo)
    await add(mongo, "hot", count=PAGE + 20)
    for number in range(5):
        await add(mongo, f"a{number}", count=2)
        await add(mongo, f"z{number}", count=2)
    await outbox.remove([Place("hot", 1), Place("z0", 1)])

    heads: list[Any] = []
    last = None
    while True:
        page = await outbox.page(last)
        heads += page.heads
        if (last := page.last) is None:
            break
    expected = {f"{letter}{number}": 1 for letter in "az" for number in range(5)} | {"hot": 2, "z0": 2}
    assert {job.place.hospital_id: job.place.seq for job in heads} == expected
    assert len(heads) == len(expected)
    assert (await outbox.size()).jobs == PAGE + 20 + 20 - 2


async def test_a_lost_history_of_changes_ends_the_watch_with_an_error(
    mongo: MongoHandle, fail_command: FailCommand
) -> None:
    outbox = Outbox(mongo)
    async with fail_command(["getMore"], errorCode=286):
        with pytest.raises(TransientError, match="286"):
            async with outbox.added() as next_added:
                await first_added(next_added)
    async with outbox.added() as next_added:
        await add(mongo, "cms:1")
        (job,) = await first_added(next_added)
    assert job.place == Place("cms:1", 1)


async def test_a_watch_can_be_cancelled_while_it_waits(mongo: MongoHandle) -> None:
    async def watch() -> None:
        async with Outbox(mongo).added() as next_added:
            watching.set()
            await first_added(next_added)

    watching = asyncio.Event()
    task = asyncio.create_task(watch())
    await watching.wait()
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


@pytest.mark.parametrize("name", FOREIGN)
async def test_what_another_program_has_written_past_the_validator_holds_up_nothing(
    mongo: MongoHandle, name: str
) -> None:
    outbox = Outbox(mongo)
    async with outbox.added() as next_added:
        await insert_past_the_validator(mongo, FOREIGN[name])
        # It may have the place of the first job of its hospital.
        await mongo.database["outbox_hospitals"].insert_one({"_id": "foreign", "seq": 1})
        for hospital_id in ("a", "foreign", "zzz"):
            await add(mongo, hospital_id)

        added = [(await first_added(next_added))[0].place for _ in range(3)]
    page = await outbox.page(None)
    assert [job.place for job in page.heads] == added
    assert added == [Place("a", 1), Place("foreign", 2), Place("zzz", 1)]
    assert (page.last, page.unreadable) == (None, 1)
    assert await outbox.envelopes(added) == dict.fromkeys(added, b"envelope")
    assert [job.place for job in await outbox.find(added)] == added
    size = await outbox.size()
    assert size.jobs == 4
    assert size.oldest_due is not None


@pytest.mark.parametrize("name", [name for name in FOREIGN if name not in PASSES_THE_VALIDATOR])
async def test_the_query_of_the_documentation_finds_what_the_validator_refuses(
    mongo: MongoHandle, name: str
) -> None:
    await add(mongo, "a")
    await insert_past_the_validator(mongo, FOREIGN[name])

    jobs = mongo.database["outbox"]
    (stored,) = await (
        await settled(cast(Any, mongo.database.list_collections(filter={"name": "outbox"})))
    ).to_list()
    assert await jobs.count_documents({"$nor": [stored["options"]["validator"]]}) == 1


async def test_documents_of_other_kinds_of_ids_hold_up_nothing(mongo: MongoHandle) -> None:
    await insert_past_the_validator(mongo, {"_id": 1}, {"_id": {"a": 1}}, {"_id": ObjectId()})
    await add(mongo, "cms:1")

    page = await Outbox(mongo).page(None)
    assert ([job.place for job in page.heads], page.last) == ([Place("cms:1", 1)], None)


@pytest.mark.parametrize("foreign", [{"z": 1}, {"seq": 1.5}])
async def test_a_page_that_ends_with_a_foreign_document_does_not_split_a_hospital(
    mongo: MongoHandle, foreign: dict[str, Any]
) -> None:
    await insert_past_the_validator(mongo, document(_id={"hospital": "hot", "seq": 1, **foreign}))
    await add(mongo, "hot", count=2)
    for number in range(PAGE - 2):
        await add(mongo, f"a{number}")

    pages = [page := await Outbox(mongo).page(None)]
    while page.last is not None:
        pages.append(page := await Outbox(mongo).page(page.last))
    heads = [job.place for page in pages for job in page.heads if job.place.hospital_id == "hot"]
    assert heads == [Place("hot", 1)]
    assert sum(page.unreadable for page in pages) == 1


async def test_pages_of_foreign_documents_alone_come_to_an_end(mongo: MongoHandle) -> None:
    foreign = [with_bytes(b"\xff\xfe\xfd\xfc", hospital_id="mABCD", seq=seq) for seq in range(1, PAGE + 2)]
    await insert_past_the_validator(mongo, *foreign)
    await add(mongo, "z")

    first = await Outbox(mongo).page(None)
    assert (len(first.heads), first.unreadable) == (0, PAGE)
    second = await Outbox(mongo).page(first.last)
    assert ([job.place for job in second.heads], second.last, second.unreadable) == ([Place("z", 1)], None, 1)


async def test_the_oldest_job_is_not_hidden_by_what_has_no_date(mongo: MongoHandle) -> None:
    await add(mongo, "cms:1")
    (job,) = (await Outbox(mongo).page(None)).heads
    foreign = [document(f"m{number}", due=due) for number, due in enumerate((None, 7, "today", ...))]
    await insert_past_the_validator(mongo, *foreign)

    assert (await Outbox(mongo).size()).oldest_due == job.due


async def insert_past_the_validator(mongo: MongoHandle, *documents: Any) -> None:
    await mongo.database["outbox"].insert_many(documents, bypass_document_validation=True)


@pytest.mark.parametrize(
    "change",
    [{"seq": 0}, {"seq": "x"}, {"job": 1}, {"envelope": "text"}, {"due": "today"}, {"delay_ms": -1}, {"more": 1}],
)
async def test_the_validator_refuses_what_is_no_job(mongo: MongoHandle, change: dict[str, Any]) -> None:
    await add(mongo, "cms:1")
    document = await mongo.database["outbox"].find_one()
    assert document is not None
    document["_id"] = {"hospital": "cms:1", "seq": change.get("seq", 2)}
    document |= {name: value for name, value in change.items() if name != "seq"}

    with pytest.raises(OperationFailure) as refused:
        await mongo.database["outbox"].insert_one(document)
    assert refused.value.code == 121
