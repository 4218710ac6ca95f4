from datetime import UTC, datetime

import pytest
import typer

from worker.commands.instants import instant_option, shown_instant


def test_what_is_no_instant_is_refused_with_examples() -> None:
    with pytest.raises(typer.BadParameter, match="such as 2025-06-30 or"):
        instant_option("").parser("yesterday")


def test_an_instant_is_shown_in_utc_and_milliseconds() -> None:
    assert shown_instant(datetime(2025, 6, 30, 12, 0, 0, 500_000, UTC)) == "2025-06-30T12:00:00.500Z"
