from datetime import UTC, datetime, timedelta, timezone

from bson.datetime_ms import DatetimeMS
from bson.objectid import ObjectId

from worker.mongo.plain_json import plain, public, shown_instant


def test_an_instant_is_shown_in_utc_and_milliseconds() -> None:
    assert shown_instant(datetime(2025, 6, 30, 12, 0, 0, 500_000, UTC)) == "2025-06-30T12:00:00.500Z"
    east = timezone(timedelta(hours=2))
    assert shown_instant(datetime(2025, 6, 30, 14, 0, 0, 0, east)) == "2025-06-30T12:00:00.000Z"


def test_foreign_types_are_shown_as_text_and_instants_beyond_the_calendar_as_milliseconds() -> None:
    assert plain(ObjectId("0123456789abcdef01234567")) == "0123456789abcdef01234567"
    assert plain(DatetimeMS(2**52)) == 2**52


def test_a_hospital_has_its_id_under_the_name_that_outcomes_use() -> None:
    assert list(public({"hospital_name": "Mercy", "_id": "cms:1"}).items()) == [
        ("hospital_id", "cms:1"),
        ("hospital_name", "Mercy"),
    ]
