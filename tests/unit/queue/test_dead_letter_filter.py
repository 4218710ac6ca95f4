"""Which dead letters a filter selects, and that it is the same after it was stored."""

from datetime import UTC, datetime

import pytest

from worker.queue.dead_letter import DeadLetter, Failure
from worker.queue.dead_letter_filter import DeadLetterFilter

AT = datetime(2026, 11, 28, 4, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 28, 4, 1, tzinfo=UTC)
LETTER = DeadLetter(
    job_id="a", function="ingest", queue="arq:queue", reason="Permanent error: too late", crashes=0, worker="w",
    failure=Failure(type="InvalidPayload", message="m", tries=1, at_ms=int(AT.timestamp() * 1000)),
)  # fmt: skip
SELECTS = [
    DeadLetterFilter(),
    DeadLetterFilter(function="ingest", error="InvalidPayload", queue="arq:queue", text="ERROR: too"),
    DeadLetterFilter(since=AT),
    DeadLetterFilter(until=LATER),
    DeadLetterFilter(since=AT, until=LATER),
]
SELECTS_NOT = [
    DeadLetterFilter(function="other"),
    DeadLetterFilter(error="Invalid"),
    DeadLetterFilter(queue="arq:queue:bulk"),
    DeadLetterFilter(text="another"),
    DeadLetterFilter(since=LATER),
    DeadLetterFilter(until=AT),
    DeadLetterFilter(function="ingest", error="other"),
]


@pytest.mark.parametrize("wanted", SELECTS)
def test_a_letter_is_selected(wanted: DeadLetterFilter) -> None:
    assert wanted.has(LETTER)
    assert DeadLetterFilter.of_text(wanted.as_text()) == wanted


@pytest.mark.parametrize("wanted", SELECTS_NOT)
def test_a_letter_is_not_selected(wanted: DeadLetterFilter) -> None:
    assert not wanted.has(LETTER)
    assert DeadLetterFilter.of_text(wanted.as_text()) == wanted


@pytest.mark.parametrize("stored", [{"unknown": "x"}, {"since": "noon"}])
def test_what_another_program_stored_is_refused(stored: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"not a filter|Invalid isoformat"):
        DeadLetterFilter.of_text(stored)
