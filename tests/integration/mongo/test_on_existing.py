"""What `keep`, `merge` and `replace` do to a stored hospital that differs."""

from typing import Any

import pytest

from tests.integration.mongo.conftest import RunJob
from tests.integration.mongo.import_chunks import CHANGED, MODES, Make, all_hospitals, chunk, store
from worker.mongo.client import MongoHandle


@MODES
async def test_a_record_that_differs_is_never_called_the_same(
    mongo: MongoHandle, run_job: RunJob, record: Make, mode: str
) -> None:
    stored = record(beds=1, phone="1", attributes={"a": 1, "b": True}, observed_at="2025-02-01T00:00:00Z")
    await store(run_job, stored)
    old = "2025-01-01T00:00:00Z"
    table: list[tuple[dict[str, Any], str, list[str]]] = [
        (record(beds=1), "same", []),
        (record(beds=1, attributes={"a": 1.0}), "same", []),
        (record(attributes={"a": 1, "b": 1}), CHANGED[mode], ["attributes.b"]),
        (record(beds=2, city="A"), CHANGED[mode], ["city", "beds"]),
        (record(beds=2, observed_at=old), "newer_stored", ["beds"]),
    ]
    for number, (given, status, fields) in enumerate(table):
        await mongo.hospitals.delete_many({})
        await mongo.database["applied_jobs"].delete_many({})
        await run_job("ingest_hospital", {"record": stored}, f"before-{number}")
        before = await all_hospitals(mongo)
        # A replacement also removes what the record does not know.
        expected = "replaced" if (mode, status) == ("replace", "same") else status
        payload = {"records": [given], "on_existing": mode}
        chunked = await run_job("ingest_hospitals", payload, f"chunk-{number}")
        assert chunked.statuses == [expected], given
        if status in ("kept", "newer_stored"):
            names = [each.field for each in chunked.not_applied[0].differences]
            assert names[: len(fields)] == fields if mode == "keep" else set(fields) <= set(names)
            assert await all_hospitals(mongo) == before
        assert (await run_job("ingest_hospitals", payload, f"chunk-{number}")).statuses == [expected]


async def test_a_replacement_keeps_nothing_of_the_content_that_it_does_not_know(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    for job in ("ingest_hospital", "ingest_hospitals"):
        number = f"of-{job}"
        stored = record(
            external_id=number, city="A", beds=1, hospital_type="multi", attributes={"a": 1, "b": 2},
            observed_at="2025-02-01T00:00:00Z",
        )  # fmt: skip
        await run_job("ingest_hospital", {"record": stored}, f"before-{job}")
        new = record(external_id=number, phone="$phone", attributes={"c": "$$ROOT", "a": 3})
        payload = {"record": new} if job == "ingest_hospital" else {"records": [new]}
        outcome = await run_job(job, {**payload, "on_existing": "replace"}, job)
        assert (outcome.status if job == "ingest_hospital" else outcome.statuses[0]) == "replaced"
        hospital = (await all_hospitals(mongo))[f"cms:{number}"]
        assert hospital.pop("applied_jobs") == [{"job": job, "record": 0, "revision": 2}]
        times = [hospital.pop(name) for name in ("created_at", "updated_at", "observed_at")]
        assert times[0] <= times[1]
        assert hospital == {
            "_id": f"cms:{number}", "hospital_name": "Mercy", "source": "cms", "external_id": number,
            "hospital_type": "single", "phone": "$phone", "attributes": {"a": 3, "c": "$$ROOT"},
            "status": "partial", "revision": 2, "created_by_job": f"before-{job}",
        }  # fmt: skip
        # The same content in another order changes nothing, also if only the server compares it.
        again = {**new, "attributes": {"a": 3, "c": "$$ROOT"}}
        payload = {"record": again} if job == "ingest_hospital" else {"records": [again]}
        outcome = await run_job(job, {**payload, "on_existing": "replace"}, f"again-{job}")
        assert (outcome.status if job == "ingest_hospital" else outcome.statuses[0]) == "same"
        assert (await all_hospitals(mongo))[f"cms:{number}"]["revision"] == 2


@pytest.mark.parametrize(
    ("given", "unread", "stays"),
    [
        ({"phone": "2"}, ["beds"], {"beds": 1, "phone": "2"}),
        ({"phone": "2"}, ["latitude"], {"location": True, "phone": "2"}),
        ({"phone": "2"}, ["attributes.a"], {"attributes": {"a": 1}, "phone": "2"}),
        ({"phone": "2"}, ["attributes.c"], {"phone": "2"}),
        ({"attributes": {"b": "$b"}}, ["attributes.a", "attributes.c"], {"attributes": {"a": 1, "b": "$b"}}),
        ({"phone": "2"}, ["attributes"], {"attributes": {"a": 1, "b": 2}, "phone": "2"}),
        ({"phone": "2"}, ["hospital_type"], {"hospital_type": "multi", "phone": "2"}),
    ],
)
async def test_a_replacement_keeps_what_is_stored_of_cells_that_could_not_be_read(
    mongo: MongoHandle,
    run_job: RunJob,
    record: Make,
    given: dict[str, Any],
    unread: list[str],
    stays: dict[str, Any],
) -> None:
    point = {"type": "Point", "coordinates": [1.5, 2.5]}
    stored = record(
        hospital_type="multi", beds=1, attributes={"a": 1, "b": 2}, location={"coordinates": [1.5, 2.5]}
    )
    await store(run_job, stored)
    cells = [{"field": field, "column": "C", "value": "?", "reason": "is not valid"} for field in unread]
    rows = chunk(record(**given), lines=[2], mode="replace") | {"unread": [{"line": 2, "left_out": cells}]}
    fields = [["location" if field == "latitude" else field for field in unread]]
    asked = {"records": rows["records"], "on_existing": "replace", "unread": fields}

    assert (await run_job("preview_hospitals", asked, "preview")).statuses == ["replaced"]
    assert (await run_job("ingest_hospitals", rows, "rows")).statuses == ["replaced"]

    hospital = (await all_hospitals(mongo))["cms:1"]
    optional = ("beds", "location", "attributes", "phone", "hospital_type")
    expected = {"hospital_type": "single"} | stays
    if "location" in expected:
        expected["location"] = point
    assert {field: hospital[field] for field in optional if field in hospital} == expected
    again = rows | {"import_id": "another"}
    assert (await run_job("ingest_hospitals", again, "again")).statuses == ["same"]
    assert (await run_job("preview_hospitals", asked, "preview-again")).statuses == ["same"]
    assert (await all_hospitals(mongo))["cms:1"] == hospital


async def test_a_registered_hospital_with_the_same_content_is_the_same(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await store(run_job, record(city="A", beds=1), registered=True)
    for number, mode in enumerate(("keep", "merge")):
        payload = {"records": [record(city="A")], "on_existing": mode}
        assert (await run_job("ingest_hospitals", payload, f"same-{number}")).statuses == ["same"]
        payload = {"records": [record(beds=2)], "on_existing": mode}
        outcome = await run_job("ingest_hospitals", payload, f"differs-{number}")
        assert outcome.statuses == ["registered"]
        assert [(it.field, it.stored, it.given) for it in outcome.not_applied[0].differences] == [("beds", 1, 2)]


@pytest.mark.parametrize("mode", ["merge", "replace"])
@pytest.mark.parametrize(
    ("name", "place"),
    [("B", {"city": "X"}), ("B", {"city": "x"}), ("B", {}), ("b", {"postal_code": "1"}), ("A", {"city": "Y"})],
)
async def test_a_hospital_that_was_only_renamed_or_only_moved_is_changed(
    mongo: MongoHandle, run_job: RunJob, record: Make, mode: str, name: str, place: dict[str, str]
) -> None:
    await store(run_job, record(hospital_name="A", city="X"))
    changed = record(hospital_name=name, **place)
    outcome = await run_job("ingest_hospital", {"record": changed, "on_existing": mode}, "single")
    assert (outcome.status, outcome.revision) == (CHANGED[mode], 2)
    hospital = (await all_hospitals(mongo))["cms:1"]
    assert hospital["hospital_name"] == name
    assert hospital.get("city") == place.get("city", "X" if mode == "merge" else None)
