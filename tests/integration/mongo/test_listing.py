from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson.raw_bson import RawBSONDocument

from worker.mongo.client import MongoHandle
from worker.mongo.documents import new_hospital
from worker.mongo.listing import describe_search, find_hospital, list_hospitals
from worker.mongo.reader import HospitalFilter

Make = Callable[..., dict[str, Any]]

AT = datetime(2026, 6, 30, tzinfo=UTC)
HOSPITALS: dict[str, dict[str, Any]] = {
    "cms:1": {
        "hospital_name": "St. Mary's (North)",
        "source": "cms",
        "country": "US",
        "state": "NY",
        "city": "Troy",
    },
    "cms:2": {"hospital_name": "STXMARY'S", "source": "cms", "country": "US", "state": "IL", "city": "Aurora"},
    "hr:1": {"hospital_name": "Klinik École", "source": "hr", "country": "CH", "hospital_type": "multi"},
}


@pytest.fixture
async def filled(mongo: MongoHandle) -> MongoHandle:
    for days, (hospital_id, known) in enumerate(HOSPITALS.items()):
        status, at = ("registered", "partial")[days % 2], AT + timedelta(days=days)
        await mongo.hospitals.insert_one(new_hospital(hospital_id, known, status=status, job_id="job", at=at))
    return mongo


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["cms:1", "cms:2", "hr:1"]),
        ({"source": "cms"}, ["cms:1", "cms:2"]),
        ({"country": "CH"}, ["hr:1"]),
        ({"state": "NY"}, ["cms:1"]),
        ({"city": "Aurora"}, ["cms:2"]),
        ({"status": "registered"}, ["cms:1", "hr:1"]),
        ({"hospital_type": "multi"}, ["hr:1"]),
        ({"updated_since": AT + timedelta(days=1)}, ["cms:2", "hr:1"]),
        ({"name_contains": "mary"}, ["cms:1", "cms:2"]),
        ({"name_contains": "ÉCOLE"}, ["hr:1"]),
        ({"name_contains": "st.mary"}, []),
        ({"name_contains": "St. Mary's (N"}, ["cms:1"]),
        ({"name_contains": ".*"}, []),
        ({"name_contains": "\0"}, []),
        ({"name_contains": "mary", "hospital_name": "STXMARY'S"}, ["cms:2"]),
        ({"name_contains": "mary", "source": "cms", "status": "partial"}, ["cms:2"]),
    ],
)
async def test_a_filter_selects(filled: MongoHandle, wanted: dict[str, Any], found: list[str]) -> None:
    listed = list_hospitals(filled, HospitalFilter(**wanted), order="_id")
    assert [hospital["_id"] async for hospital in listed] == found


async def test_the_order_and_the_limit(filled: MongoHandle) -> None:
    by_name = list_hospitals(filled, HospitalFilter(), order="hospital_name", limit=2)
    assert [hospital["_id"] async for hospital in by_name] == ["hr:1", "cms:2"]


async def test_a_document_that_another_program_damaged_is_listed(filled: MongoHandle) -> None:
    # Invalid UTF-8, and an instant after the year 9999; the validator looks at neither.
    fields = b"\x02hospital_name\0\x03\0\0\0a\xff\0\x09updated_at\0" + (2**62).to_bytes(8, "little")
    body = b"\x02_id\0\x02\0\0\0a\0" + fields + b"\0"
    raw = RawBSONDocument((len(body) + 4).to_bytes(4, "little") + body)
    command = {"insert": "hospitals", "documents": [raw], "bypassDocumentValidation": True}
    await filled.database.command(command)
    first = await anext(list_hospitals(filled, HospitalFilter(), order="_id"))
    assert first == await find_hospital(filled, "a")
    assert first["hospital_name"] == "a\ufffd"


async def test_a_search_says_what_it_reads(filled: MongoHandle) -> None:
    wanted = HospitalFilter(name_contains="mary", source="cms")
    whole = "every entry of the index hospital_name_1 is read"
    assert await describe_search(filled, wanted, order="hospital_name") == whole
    exact = HospitalFilter(hospital_name="STXMARY'S")
    assert await describe_search(filled, exact, order="hospital_name") == "the index hospital_name_1 is used"
    await filled.hospitals.drop_indexes()
    scans = "no index helps: every hospital is read"
    assert await describe_search(filled, wanted, order="hospital_name") == scans
