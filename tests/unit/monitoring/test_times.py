from datetime import UTC, datetime

import pytest

from worker.monitoring.times import duration, instant, parse_instant

NOON_MS = 1_795_867_200_000


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 s"), (0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "120 min"), (7_200, "2 h"),
        (172_799, "48 h"), (172_800, "2 days"),
    ],
)  # fmt: skip
def test_a_duration_is_given_in_at_least_two_of_its_unit(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("offset_s", "words"),
    [
        (34, "2026-11-28 12:00:34 UTC (in 34 s)"),
        (-34, "2026-11-28 11:59:26 UTC (34 s ago)"),
        (0, "2026-11-28 12:00:00 UTC (0 s ago)"),
    ],
)
def test_an_instant_is_absolute_and_relative(offset_s: int, words: str) -> None:
    assert instant(NOON_MS + offset_s * 1000, NOON_MS) == words


@pytest.mark.parametrize("at_ms", [1e300, -1e300, float("inf"), float("-inf")])
def test_an_instant_that_no_calendar_has_is_named_so(at_ms: float) -> None:
    assert instant(at_ms, NOON_MS) == "a time that no calendar has"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2025-06-30", datetime(2025, 6, 30, tzinfo=UTC)),
        ("2025-06-30T14:00", datetime(2025, 6, 30, 14, tzinfo=UTC)),
        ("2025-06-30T14:00:01Z", datetime(2025, 6, 30, 14, 0, 1, tzinfo=UTC)),
        ("2025-06-30T14:00+02:00", datetime(2025, 6, 30, 12, tzinfo=UTC)),
    ],
)
def test_a_date_or_an_instant_is_read(text: str, at: datetime) -> None:
    assert parse_instant(text) == at


@pytest.mark.parametrize("text", ["", "yesterday", "30.06.2025", "0001-01-01T00:00+14:00"])
def test_anything_else_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError):
        parse_instant(text)
