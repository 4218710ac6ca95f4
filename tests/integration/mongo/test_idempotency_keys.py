"""A key permanently identifies one operation.

A different operation with the same key is refused, and never treated as done.
"""

from collections.abc import Callable
from typing import Any

import pytest

from worker.errors import KeyUsedTwice
from worker.mongo.client import MongoHandle

Make = Callable[..., dict[str, Any]]
ACT = {"actor": "a", "reason": "b"}


async def test_a_key_reused_for_another_hospital_is_refused(mongo: MongoHandle, run_job: Any, record: Make) -> None:
    await run_job("register_hospital", {"record": record(external_id="a"), **ACT}, "key")
    with pytest.raises(KeyUsedTwice):
        await run_job("register_hospital", {"record": record(external_id="b"), **ACT}, "key")
    with pytest.raises(KeyUsedTwice):
        await run_job("withdraw_hospital", {"hospital_id": "cms:b", **ACT}, "key")
    assert [hospital["_id"] async for hospital in mongo.hospitals.find({})] == ["cms:a"]
    assert await mongo.logs.count_documents({}) == 1


@pytest.mark.parametrize(
    ("job", "first", "second"),
    [
        ("register_hospital", {}, {"actor": "c"}),
        ("register_hospital", {}, {"reason": "d"}),
        ("register_hospital", {}, {"record": {"beds": 4}}),
        ("register_hospital", {}, {"record": {"city": "B"}}),
        ("amend_hospital", {"changes": {"city": "B"}}, {"changes": {"city": "C"}}),
        ("amend_hospital", {"changes": {"city": "B"}}, {"changes": {"city": "B", "beds": None}}),
        ("amend_hospital", {"changes": {"city": "B"}, "revision": 1}, {"changes": {"city": "B"}, "revision": 2}),
        ("withdraw_hospital", {"revision": 1}, {"revision": 2}),
    ],
)
async def test_a_key_reused_for_a_different_act_on_the_same_hospital_is_refused(
    mongo: MongoHandle, run_job: Any, record: Make, job: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    def payload(fields: dict[str, Any]) -> dict[str, Any]:
        made = {**ACT, **fields}
        if job == "register_hospital":
            return made | {"record": record(**({"beds": 3} | fields.get("record", {})))}
        return made | {"hospital_id": "cms:1"}

    if job != "register_hospital":
        await run_job("register_hospital", {"record": record(beds=3), **ACT}, "set-up")
    outcome = await run_job(job, payload(first), "key")
    stored = await mongo.hospitals.find({}).to_list(None)
    with pytest.raises(KeyUsedTwice, match="an idempotency key was used twice"):
        await run_job(job, payload(second), "key")
    assert await mongo.hospitals.find({}).to_list(None) == stored
    assert (await run_job(job, payload(first), "key")).revision == outcome.revision


async def test_a_redelivered_act_is_recognised_with_values_of_every_type(
    mongo: MongoHandle, run_job: Any, record: Make
) -> None:
    full = record(
        beds=3,
        emergency_services=True,
        observed_at="2025-06-30T12:00:00.123456Z",
        location={"coordinates": [1, 2.5]},
        attributes={"whole": 1, "part": 0.5, "truth": True, "text": "x"},
    )
    await run_job("ingest_hospital", {"record": record(attributes={"other": 2}, city="A")}, "before")
    for _ in range(2):
        outcome = await run_job("register_hospital", {"record": full, **ACT}, "registers")
        assert (outcome.status, outcome.revision) == ("registered", 2)
    changes = {"location": {"coordinates": [3, 4]}, "attributes": {"whole": 2}, "city": None}
    for _ in range(2):
        amendment = {"hospital_id": "cms:1", "changes": changes, **ACT}
        outcome = await run_job("amend_hospital", amendment, "amends")
        assert (outcome.status, outcome.revision) == ("amended", 3)


@pytest.mark.parametrize(("mode", "is_there"), [("keep", False), ("merge", False), ("merge", True)])
async def test_a_key_reused_for_a_different_record_of_the_same_hospital_is_refused(
    mongo: MongoHandle, run_job: Any, record: Make, mode: str, is_there: bool
) -> None:
    if is_there:
        await run_job("ingest_hospital", {"record": record(beds=1)}, "before")
    first = {"record": record(beds=3, observed_at="2025-06-30T12:00:00.123456Z"), "on_existing": mode}
    outcome = await run_job("ingest_hospital", first, "key")
    assert outcome.status == ("merged" if is_there else "created")
    # A later observation of the same values changes nothing but `observed_at`.
    later = {"record": record(beds=3, observed_at="2025-07-01T00:00:00Z"), "on_existing": "merge"}
    assert (await run_job("ingest_hospital", later, "later")).status == "same"
    with pytest.raises(KeyUsedTwice):
        await run_job("ingest_hospital", {"record": record(beds=4), "on_existing": mode}, "key")
    assert (await run_job("ingest_hospital", first, "key")).status == outcome.status
    # Once another job has changed the hospital, the values of the first delivery can no longer be determined.
    await run_job("ingest_hospital", {"record": record(beds=5), "on_existing": "merge"}, "other")
    assert (await run_job("ingest_hospital", first, "key")).status == outcome.status
    assert await mongo.hospitals.count_documents({"beds": 5}) == 1


async def test_a_key_reused_for_a_different_correction_of_the_same_hospital_is_refused(
    mongo: MongoHandle, run_job: Any, record: Make
) -> None:
    await run_job("ingest_hospital", {"record": record()})
    correction = {"hospital_id": "cms:1", "revision": 1, "changes": {"city": "A"}}
    await run_job("correct_hospital", correction, "key")
    await run_job("correct_hospital", {**correction, "revision": 2}, "other")
    with pytest.raises(KeyUsedTwice):
        await run_job("correct_hospital", {**correction, "revision": 2}, "key")
    assert (await run_job("correct_hospital", correction, "key")).revision == 2
