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
