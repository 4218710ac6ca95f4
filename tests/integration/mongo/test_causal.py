import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest_asyncio
from pymongo.write_concern import WriteConcern

from worker.contract import HospitalRecord, RegisterHospital
from worker.contract.known import known_fields
from worker.contract.validation import parse
from worker.embedded import EmbeddedMongo
from worker.mongo.chunks import ingest_many
from worker.mongo.client import MongoHandle
from worker.mongo.documents import new_hospital, now
from worker.mongo.hospitals import ingest
from worker.mongo.reader import HospitalFilter, HospitalReader
from worker.mongo.registrations import Registrations
from worker.mongo.schema import ensure_schema
from worker.mongo.tokens import decode_token

Make = Callable[..., dict[str, Any]]


@pytest_asyncio.fixture
async def writer(open_handle: Any, three_members: EmbeddedMongo) -> AsyncIterator[MongoHandle]:
    async with open_handle(three_members.url) as (mongo, _):
        await ensure_schema(mongo)
        yield mongo


async def _pause_secondaries(server: EmbeddedMongo, mode: str) -> None:
    primary = await server.primary()
    for member in server.members:
        if member.port != primary.port:
            await member.command("configureFailPoint", "stopReplProducer", mode=mode)


async def test_another_client_sees_every_write_at_a_secondary(
    open_handle: Any, three_members: EmbeddedMongo, writer: MongoHandle, record: Make
) -> None:
    async with open_handle(three_members.url, mongodb_database=writer.database.name) as (other, _):
        reader = HospitalReader(other, "secondary")
        for n in range(30):
            known = parse(HospitalRecord, record(external_id=f"h{n}"))
            outcome = await ingest(writer, known, "keep", f"job-{n}")
            assert outcome.token is not None
            assert await reader.find_one(f"cms:h{n}", token=outcome.token) is not None
        request = parse(RegisterHospital, {"record": record(external_id="h0"), "actor": "a", "reason": "r"})
        deadline = asyncio.get_running_loop().time() + 20
        registered = await Registrations(writer).register(request, "register", deadline=deadline)
        found = reader.find(HospitalFilter(status="registered"), token=registered.token)
        assert [hospital["_id"] async for hospital in found] == ["cms:h0"]


async def test_a_causal_read_waits_for_a_lagging_secondary(
    open_handle: Any, three_members: EmbeddedMongo, writer: MongoHandle, record: Make
) -> None:
    """Replication is paused, so the secondary cannot have the write when the read begins."""
    await ingest(writer, parse(HospitalRecord, record(external_id="h0")), "keep", "before")
    reader = HospitalReader(writer, "secondary")
    await _pause_secondaries(three_members, "alwaysOn")
    try:
        # The write is acknowledged by the primary alone, because a majority cannot have it yet.
        hospitals = writer.hospitals.with_options(write_concern=WriteConcern(w=1))
        late = new_hospital("cms:1", {"hospital_name": "Late"}, status="partial", job_id="late", at=now())
        await hospitals.insert_one(late)
        waiting = asyncio.create_task(reader.find_one("cms:1", token=writer.latest_token()))
        assert await reader.find_one("cms:1") is None
        assert not waiting.done()
    finally:
        await _pause_secondaries(three_members, "off")
    assert await asyncio.wait_for(waiting, 20) is not None


async def test_the_token_of_a_chunk_makes_all_its_records_visible(
    open_handle: Any, three_members: EmbeddedMongo, writer: MongoHandle, record: Make
) -> None:
    records = [parse(HospitalRecord, record(external_id=f"h{n}")) for n in range(200)]
    outcome = await ingest_many(writer, [known_fields(it) for it in records], "keep", "chunk")
    found = HospitalReader(writer, "secondary").find(token=outcome.token)
    assert len([hospital async for hospital in found]) == 200


async def test_concurrent_operations_get_tokens_later_than_an_earlier_write(
    mongo: MongoHandle, record: Make
) -> None:
    records = [parse(HospitalRecord, record(external_id=f"h{n}")) for n in range(50)]
    first = await ingest(mongo, records[0], "keep", "first")
    later = await asyncio.gather(*(ingest(mongo, known, "keep", "later") for known in records[1:]))
    assert first.token is not None
    start = decode_token(first.token).operation_time
    tokens = [outcome.token for outcome in later]
    assert all(token is not None and decode_token(token).operation_time > start for token in tokens)
