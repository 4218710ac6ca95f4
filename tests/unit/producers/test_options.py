from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from producers.options import read_options
from worker.errors import InvalidPayload

NOON = datetime(2025, 6, 30, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", NOON.timestamp)


@pytest.mark.parametrize(
    ("options", "delay_s"),
    [
        ({}, 0),
        ({"delay": 1.5}, 1.5),
        ({"run_at": NOON + timedelta(minutes=2)}, 120),
        ({"run_at": (NOON + timedelta(hours=1)).astimezone(timezone(timedelta(hours=5)))}, 3_600),
        ({"run_at": NOON - timedelta(days=1)}, 0),
        ({"run_at": None}, 0),
    ],
)
def test_a_delay_or_an_instant_says_when_a_job_may_run(options: Any, delay_s: float) -> None:
    assert read_options(**options) == (None, delay_s)
    assert read_options(idempotency_key="k", **options) == ("k", delay_s)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"run_at": datetime(2025, 6, 30, 12)}, "run_at: needs a time zone"),  # noqa: DTZ001 (that is the mistake)
        ({"run_at": NOON, "delay": 0}, "run_at: give either delay or run_at"),
        ({"delay": float("nan")}, "delay: must be a number of seconds"),
        ({"delay": float("inf")}, "delay: must be a number of seconds"),
    ],
)
def test_what_says_no_time_is_refused(options: Any, says: str) -> None:
    with pytest.raises(InvalidPayload, match=says):
        read_options(**options)


def test_an_option_of_another_name_is_refused() -> None:
    misspelt: Any = {"idempotencykey": "k"}
    with pytest.raises(TypeError, match="idempotencykey"):
        read_options(**misspelt)
