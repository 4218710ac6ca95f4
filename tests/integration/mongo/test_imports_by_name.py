"""Rows of one import that only name and place identify: what may be two hospitals is never made one."""

from typing import Any

import pytest

from tests.integration.mongo.conftest import RunJob
from tests.integration.mongo.import_chunks import MODES, all_hospitals, chunk, without_token
from worker.mongo.client import MongoHandle

FIRST = {"hospital_name": "Apollo Clinic", "city": "Agra", "beds": 20, "phone": "555-0001"}
SECOND = FIRST | {"beds": 35, "phone": "555-0002"}
ID = "name:apollo clinic CITY agra"


@MODES
@pytest.mark.parametrize("chunks", [1, 2])
async def test_two_hospitals_of_one_name_and_town_stay_two_at_every_delivery(
    mongo: MongoHandle, run_job: RunJob, mode: str, chunks: int
) -> None:
    before: dict[str, Any] = {}
    for delivery, expected in (("i", "created"), ("j", "same"), ("k", "same")):
        statuses: list[str] = []
        found: list[Any] = []
        if chunks == 1:
            payloads = [chunk(FIRST, SECOND, lines=[2, 3], mode=mode, import_id=delivery)]
        else:
            payloads = [
                chunk(row, lines=[line], mode=mode, import_id=delivery) for line, row in ((2, FIRST), (3, SECOND))
            ]
        for number, payload in enumerate(payloads):
            outcome = await run_job("ingest_hospitals", payload, f"{delivery}-{number}")
            assert without_token(
                await run_job("ingest_hospitals", payload, f"{delivery}-{number}")
            ) == without_token(outcome)
            statuses += outcome.statuses
            found += outcome.not_applied
        assert statuses == [expected, "collision"]
        (collision,) = found
        assert (collision.line, collision.other_line) == (3, 2)
        assert [(each.field, each.stored, each.given) for each in collision.differences] == [
            ("phone", "555-0001", "555-0002"),
            ("beds", 20, 35),
        ]
        stored = await all_hospitals(mongo)
        assert stored[ID]["beds"] == 20
        assert before in ({}, stored)
        before = stored


@MODES
async def test_a_changed_value_of_a_later_delivery_is_applied_as_before(
    mongo: MongoHandle, run_job: RunJob, mode: str
) -> None:
    await run_job("ingest_hospitals", chunk(FIRST, lines=[2], mode=mode), "1")
    changed = chunk(SECOND, lines=[2], mode=mode, import_id="j")
    status = {"keep": "kept", "merge": "merged", "replace": "replaced"}[mode]
    assert (await run_job("ingest_hospitals", changed, "2")).statuses == [status]


async def test_later_observations_of_one_list_are_merged(mongo: MongoHandle, run_job: RunJob) -> None:
    rows = [
        {"hospital_name": "Oak", "city": "Agra", "beds": beds, "observed_at": f"2025-0{month}-01T00:00:00Z"}
        for month, beds in ((1, 20), (2, 35))
    ]
    outcome = await run_job("ingest_hospitals", chunk(*rows, lines=[2, 3], mode="merge"))
    assert outcome.statuses == ["created", "merged"]
    assert (await all_hospitals(mongo))["name:oak CITY agra"]["beds"] == 35


async def test_rows_to_correct_that_were_not_corrected_collide_again(mongo: MongoHandle, run_job: RunJob) -> None:
    await run_job("ingest_hospitals", chunk(FIRST, lines=[2]), "1")
    again = chunk(SECOND, lines=[2], import_id="j") | {"collided": True}
    outcome = await run_job("ingest_hospitals", again, "2")
    assert outcome.statuses == ["collision"]
    assert "differs in phone, beds" in outcome.rejections[0].problems[0]


FILE: dict[str, Any] = {"name": "list.csv", "bytes": 1, "sha256": "cd" * 32, "rows": 2}
OPENING: dict[str, Any] = {
    "fingerprint": "ab" * 32,
    "file": FILE,
    "profile": "version = 1",
    "started_by": "a",
}


async def begin(run_job: RunJob, import_id: str, mode: str, **other: Any) -> None:
    opening = OPENING | {"import_id": import_id, "on_existing": mode, "fingerprint": import_id.ljust(64, "0")}
    assert (await run_job("open_import", opening | other, f"open-{import_id}")).status == "opened"


@MODES
@pytest.mark.parametrize("identifier", [{}, {"source": "cms", "external_id": "1"}])
async def test_the_same_list_gives_the_same_result_in_whatever_order_its_chunks_run(
    mongo: MongoHandle, run_job: RunJob, mode: str, identifier: dict[str, str]
) -> None:
    one, other = FIRST | identifier | {"address": "Hill 1"}, SECOND | identifier | {"address": "Lane 2"}
    chunks = [(2, one), (1_500, other)]
    for delivery, order in (("a1", chunks), ("a2", chunks[::-1]), ("a3", chunks[::-1])):
        await begin(run_job, delivery, mode)
        statuses = {}
        for line, row in order:
            payload = chunk(row, lines=[line], mode=mode, import_id=delivery)
            outcome = await run_job("ingest_hospitals", payload, f"{delivery}-{line}")
            (statuses[line],) = outcome.statuses
            if line == 1_500:
                assert outcome.not_applied[0].other_line == 2
        assert statuses == {2: "created" if delivery == "a1" else "same", 1_500: "collision"}
        (hospital,) = (await all_hospitals(mongo)).values()
        assert (hospital["beds"], hospital["address"]) == (20, "Hill 1")


@pytest.mark.parametrize(
    "other", [{"file": FILE | {"sha256": "ef" * 32}}, {"profile": "version = 1, another sheet"}]
)
async def test_the_lines_of_another_list_say_nothing(
    mongo: MongoHandle, run_job: RunJob, other: dict[str, Any]
) -> None:
    await begin(run_job, "a1", "merge")
    await run_job("ingest_hospitals", chunk(FIRST, lines=[2], mode="merge", import_id="a1"), "1")
    await begin(run_job, "a2", "merge", **other)
    outcome = await run_job("ingest_hospitals", chunk(SECOND, lines=[7], mode="merge", import_id="a2"), "2")
    assert outcome.statuses == ["merged"]


async def test_a_repetition_stays_one_after_another_list_has_changed_the_hospital(
    mongo: MongoHandle, run_job: RunJob
) -> None:
    await begin(run_job, "a1", "merge")
    await run_job("ingest_hospitals", chunk(FIRST, FIRST, lines=[2, 3], mode="merge", import_id="a1"), "1")
    await run_job("ingest_hospitals", chunk(SECOND, lines=[2], mode="merge", import_id="b"), "2")
    await begin(run_job, "a2", "merge")
    again = chunk(FIRST, FIRST, lines=[2, 3], mode="merge", import_id="a2")
    assert (await run_job("ingest_hospitals", again, "3")).statuses == ["merged", "same"]
