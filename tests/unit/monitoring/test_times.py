import pytest

from worker.monitoring.times import duration, instant

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
