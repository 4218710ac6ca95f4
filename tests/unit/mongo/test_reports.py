from typing import Any

import orjson

from worker.contract import Rejection
from worker.contract.comparison import FieldDifference
from worker.mongo.chunk_rows import Holder, Row
from worker.mongo.reports import LONGEST_VALUE, MAX_CHARACTERS, ChunkReport, describe


def row(index: int, known: dict[str, Any], hospital_id: str = "s:1") -> Row:
    return Row(index, hospital_id, {"hospital_name": "M", **known}, False, None, index + 2, None)


def test_values_are_shown_as_text_or_numbers_and_long_texts_are_cut() -> None:
    found = [
        FieldDifference("location", {"type": "Point", "coordinates": [15.98, 45.81]}, None),
        FieldDifference("attributes.a", "x" * 1_000, True),
        FieldDifference("beds", 3, None),
    ]
    location, attribute, beds = describe(found)
    assert (location.stored, location.given) == ("45.81,15.98", None)
    assert attribute.stored == "x" * (LONGEST_VALUE - 1) + "…"
    assert attribute.given is True
    assert (beds.stored, beds.given) == (3, None)


def test_every_record_has_one_status_and_those_not_applied_have_details() -> None:
    report = ChunkReport([Rejection(index=1, problems=["beds: x"])], whole=False)
    report.settled(row(0, {"beds": 2}), "kept", {"hospital_name": "M", "beds": 1})
    report.rejected(row(2, {}), "refused by MongoDB")
    report.collision(row(3, {"city": "B"}), Holder({"hospital_name": "M", "city": "A"}, line=9, position=7))
    report.settled(row(4, {}), "created", None)
    outcome = report.outcome(5, "token")
    assert outcome.statuses == ["kept", "rejected", "rejected", "collision", "created"]
    assert [rejection.index for rejection in outcome.rejections] == [1, 2, 3]
    assert [(each.index, each.line, each.other_line, each.other_index) for each in outcome.not_applied] == [
        (0, 2, None, None),
        (3, 5, 9, 7),
    ]
    assert not outcome.shortened


def test_an_outcome_is_bounded_and_says_that_something_was_left_out() -> None:
    names = [f"a{number}" for number in range(50)]
    given = {"attributes": dict.fromkeys(names, "\N{HOSPITAL}" * 1_000)}
    stored = {"hospital_name": "M", "attributes": dict.fromkeys(names, "\N{BED}" * 1_000)}
    report = ChunkReport([], whole=False)
    for index in range(1_000):
        report.settled(row(index, given, hospital_id="name:" + "ж" * 5_000), "kept", stored)
    outcome = report.outcome(1_000, None)
    assert outcome.shortened
    assert outcome.statuses == ["kept"] * 1_000
    assert len(outcome.not_applied) > 50
    assert len(orjson.dumps(outcome.model_dump(mode="json"))) < 5 * MAX_CHARACTERS
    assert len(outcome.not_applied[0].hospital_id) == LONGEST_VALUE


def test_a_chunk_that_differs_in_the_usual_way_is_described_whole() -> None:
    stored = {"hospital_name": "M", "phone": "1" * 20, "address": "a" * 80, "city": "A", "beds": 1}
    given = {"phone": "2" * 20, "address": "b" * 80, "city": "B", "beds": 2}
    report = ChunkReport([], whole=False)
    for index in range(1_000):
        report.settled(row(index, given), "kept", stored)
    outcome = report.outcome(1_000, None)
    assert (len(outcome.not_applied), outcome.shortened) == (1_000, False)
