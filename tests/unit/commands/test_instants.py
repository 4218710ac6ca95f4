from datetime import UTC, datetime

import pytest
import typer

from worker.commands.instants import parse_instant, shown_instant


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2025-06-30", datetime(2025, 6, 30, tzinfo=UTC)),
        ("2025-06-30T14:00", datetime(2025, 6, 30, 14, tzinfo=UTC)),
        ("2025-06-30T14:00:01Z", datetime(2025, 6, 30, 14, 0, 1, tzinfo=UTC)),
        ("2025-06-30T14:00+02:00", datetime(2025, 6, 30, 12, tzinfo=UTC)),
    ],
)
def test_a_date_or_an_instant_is_read(text: str, instant: datetime) -> None:
    assert parse_instant(text) == instant


@pytest.mark.parametrize("text", ["", "yesterday", "30.06.2025", "0001-01-01T00:00+14:00"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="such as 2025-06-30 or"):
        parse_instant(text)


def test_an_instant_is_shown_in_utc_and_milliseconds() -> None:
    assert shown_instant(parse_instant("2025-06-30T14:00:00.5+02:00")) == "2025-06-30T12:00:00.500Z"
