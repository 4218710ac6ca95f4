"""Rows of one import that share an identity, and rows whose identity is stored for another hospital."""

from collections import Counter

import pytest

from tests.integration.mongo.conftest import RunJob
from tests.integration.mongo.import_chunks import CHANGED, MODES, Make, all_hospitals, chunk, store, without_token
from worker.jobs.context import CONTEXT_KEY, WorkerContext
from worker.jobs.ingest_hospitals import ingest_hospitals
from worker.mongo.audit.verification import verify_chain
from worker.mongo.claims import IMPORT_CLAIMS, release_claims
from worker.mongo.client import MongoHandle
from worker.mongo.registrations import Registrations
from worker.settings import load_settings


@MODES
async def test_a_row_with_another_name_or_place_is_a_collision_in_a_later_chunk(
    mongo: MongoHandle, run_job: RunJob, record: Make, mode: str
) -> None:
    first = chunk(record(hospital_name="Nordklinik", city="Aveda"), lines=[2], mode=mode)
    second = chunk(
        record(hospital_name="Clinica Sur", city="Brusk"),
        record(hospital_name="Nordklinik", city="Aveda", beds=4),
        lines=[3, 4],
        mode=mode,
    )
    created = await run_job("ingest_hospitals", first, "1")
    after_first = await all_hospitals(mongo)
    collided = await run_job("ingest_hospitals", second, "2")

    assert created.statuses == ["created"]
    assert collided.statuses == ["collision", CHANGED[mode]]
    (found, *_) = collided.not_applied
    assert (found.index, found.line, found.other_line, found.hospital_id) == (0, 3, 2, "cms:1")
    assert [(each.field, each.stored, each.given) for each in found.differences] == [
        ("hospital_name", "Nordklinik", "Clinica Sur"),
        ("city", "Aveda", "Brusk"),
    ]
    assert collided.rejections[0].problems == [
        "collision: line 2 has the same identity and differs in hospital_name, city"
    ]
    if mode == "keep":
        assert await all_hospitals(mongo) == after_first
    # Delivered again, in the other order, both return what they returned and change nothing.
    before = await all_hospitals(mongo)
    assert without_token(await run_job("ingest_hospitals", second, "2")) == without_token(collided)
    assert without_token(await run_job("ingest_hospitals", first, "1")) == without_token(created)
    assert await all_hospitals(mongo) == before
    assert await mongo.database[IMPORT_CLAIMS].count_documents({}) == 0


async def test_rows_that_collided_do_so_again_unless_they_were_corrected(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await store(run_job, record(hospital_name="Oak", address="Hill 1", beds=1))
    before = await all_hospitals(mongo)
    again = chunk(
        record(hospital_name="Oak", address="Hill 9"),
        record(hospital_name="Oak", address="Hill 9", external_id="2"),
        record(hospital_name="Oak", address="hill  1", beds=7),
        lines=[2, 3, 4],
    )
    outcome = await run_job("ingest_hospitals", again | {"collided": True})
    # The third differs in nothing that tells hospitals apart, but the first of the chunk has the identity.
    assert outcome.statuses[:2] == ["collision", "created"]
    assert outcome.rejections[0].problems == [
        "collision: the stored hospital has the same identity and differs in address"
    ]
    assert (await all_hospitals(mongo))["cms:1"] == before["cms:1"]


@MODES
@pytest.mark.parametrize("import_id", ["i", None])
async def test_a_row_with_another_place_is_a_collision_within_a_chunk(
    mongo: MongoHandle, run_job: RunJob, record: Make, mode: str, import_id: str | None
) -> None:
    records = [
        record(city="A", beds=1),
        record(city="B", beds=1),
        record(city="A", beds=1),
        record(city="B", beds=1),
        record(city="A", location={"coordinates": [1, 2]}),
    ]
    payload = chunk(*records, lines=[2, 3, 4, 5, 6], mode=mode, import_id=import_id)
    outcome = await run_job("ingest_hospitals", payload)
    before = await all_hospitals(mongo)

    assert outcome.statuses == ["created", "collision", "same", "collision", "collision"]
    assert [(each.line, each.other_line) for each in outcome.not_applied] == [(3, 2), (5, 2), (6, 2)]
    assert [each.field for each in outcome.not_applied[-1].differences] == ["location"]
    assert outcome.not_applied[-1].differences[0].given == "2.0,1.0"
    assert without_token(await run_job("ingest_hospitals", payload)) == without_token(outcome)
    assert await all_hospitals(mongo) == before


async def test_a_chunk_without_lines_names_the_record_that_has_the_identity(run_job: RunJob, record: Make) -> None:
    outcome = await run_job("ingest_hospitals", {"records": [record(city="A"), record(city="B")]})
    (found,) = outcome.not_applied
    assert (found.index, found.other_index, found.line, found.other_line) == (1, 0, None, None)
    assert outcome.rejections[0].problems == [
        "collision: record 0 of the same chunk has the same identity and differs in city"
    ]


@MODES
@pytest.mark.parametrize("registered", [False, True])
async def test_the_first_row_of_an_import_claims_a_hospital_that_was_stored_before(
    mongo: MongoHandle, run_job: RunJob, record: Make, mode: str, registered: bool
) -> None:
    await store(run_job, record(city="A"), registered=registered)
    changed = "registered" if registered else CHANGED[mode]
    first = chunk(record(city="B"), lines=[2], mode=mode)
    second = chunk(record(city="C"), record(city="A"), record(city="B", beds=1), lines=[3, 4, 5], mode=mode)
    outcomes = [await run_job("ingest_hospitals", payload, job) for job, payload in (("1", first), ("2", second))]

    assert outcomes[0].statuses == [changed]
    assert outcomes[1].statuses == ["collision", "collision", changed]
    assert [(each.line, each.other_line) for each in outcomes[1].not_applied[:2]] == [(3, 2), (4, 2)]
    hospital = (await all_hospitals(mongo))["cms:1"]
    assert hospital["city"] == ("B" if changed in ("merged", "replaced") else "A")
    for job, payload, outcome in (("2", second, outcomes[1]), ("1", first, outcomes[0])):
        assert without_token(await run_job("ingest_hospitals", payload, job)) == without_token(outcome)
    assert (await all_hospitals(mongo))["cms:1"] == hospital
    # Another import may say where the hospital is now.
    later = await run_job("ingest_hospitals", chunk(record(city="D"), lines=[2], mode=mode, import_id="j"), "3")
    assert later.statuses == [changed]


@MODES
@pytest.mark.parametrize("registered", [False, True])
async def test_another_name_at_another_place_is_a_conflict(
    mongo: MongoHandle, run_job: RunJob, record: Make, mode: str, registered: bool
) -> None:
    await store(run_job, record(hospital_name="Nordklinik", city="Aveda"), registered=registered)
    before = await all_hospitals(mongo)
    other = record(hospital_name="Clinica Sur", city="Brusk", beds=3)
    chunked = await run_job("ingest_hospitals", chunk(other, lines=[7], mode=mode), "chunk")
    single = await run_job("ingest_hospital", {"record": other, "on_existing": mode}, "single")

    assert (chunked.statuses, single.status) == (["conflict"], "conflict")
    differences = [("hospital_name", "Nordklinik", "Clinica Sur"), ("city", "Aveda", "Brusk"), ("beds", None, 3)]
    assert [(each.field, each.stored, each.given) for each in single.differences] == differences
    assert chunked.not_applied[0].differences == single.differences
    assert (chunked.not_applied[0].line, chunked.not_applied[0].other_line) == (7, None)
    assert "stored for another hospital" in chunked.rejections[0].problems[0]
    assert await all_hospitals(mongo) == before
    assert without_token(
        await run_job("ingest_hospitals", chunk(other, lines=[7], mode=mode), "chunk")
    ) == without_token(chunked)


async def test_a_row_of_another_hospital_leaves_the_identity_to_the_row_that_fits(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await store(run_job, record(hospital_name="A", city="X"))
    payload = chunk(
        record(hospital_name="B", city="Y"), record(hospital_name="A", city="Z"), lines=[2, 3], mode="merge"
    )
    outcome = await run_job("ingest_hospitals", payload)
    assert outcome.statuses == ["collision", "merged"]
    hospital = (await all_hospitals(mongo))["cms:1"]
    assert (hospital["hospital_name"], hospital["city"]) == ("A", "Z")
    assert (await run_job("ingest_hospitals", payload)).statuses == outcome.statuses
    assert (await all_hospitals(mongo))["cms:1"] == hospital


async def test_the_claims_of_one_import_are_released_and_claims_expire(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    for number in range(3):
        await run_job("ingest_hospital", {"record": record(external_id=f"h{number}")}, f"before-{number}")
    for import_id in ("i", "i2", "j"):
        payload = chunk(*(record(external_id=f"h{n}") for n in range(3)), lines=[1, 2, 3], import_id=import_id)
        await run_job("ingest_hospitals", payload, f"job-{import_id}")
    await release_claims(mongo, "i")
    left = await mongo.database[IMPORT_CLAIMS].find({}).to_list(None)
    assert sorted((each["import"], len(each["claims"])) for each in left) == [("i2", 3), ("j", 3)]
    indexes = await mongo.database[IMPORT_CLAIMS].index_information()
    assert indexes["expires_at_1"]["expireAfterSeconds"] == 0


async def test_a_hospital_of_an_import_can_be_registered_and_its_chain_verified(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    await run_job("ingest_hospitals", chunk(record(city="A"), lines=[17]), "chunk")
    assert (await all_hospitals(mongo))["cms:1"]["import"] == "i:17"
    act = {"actor": "a", "reason": "r"}
    assert (await run_job("register_hospital", {"record": record(beds=3), **act})).status == "registered"
    assert (await verify_chain(mongo)).ok


async def test_a_chunk_of_a_batch_adds_its_statuses_to_the_counters(mongo: MongoHandle, record: Make) -> None:
    class Batch:
        def __init__(self) -> None:
            self.counts: Counter[str] = Counter()

        def count(self, name: str, number: int) -> None:
            self.counts[name] += number

    batch = Batch()
    context = WorkerContext(load_settings(), mongo, Registrations(mongo))
    payload = chunk(
        record(city="A"), record(city="B"), record(external_id="2"), record(beds=-1), lines=[2, 3, 4, 5]
    )
    await ingest_hospitals({CONTEXT_KEY: context, "job_id": "job", "batch": batch}, payload)
    assert batch.counts == {"created": 2, "collision": 1, "rejected": 1}
