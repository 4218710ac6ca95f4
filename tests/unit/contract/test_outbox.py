from datetime import UTC, datetime, timedelta

import pytest

from worker.contract.outbox import OutboxJob, Place

DUE = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("delay_ms", "now", "left_ms"),
    [
        (0, DUE, 0),
        (60_000, DUE - timedelta(minutes=1), 60_000),
        (60_000, DUE - timedelta(seconds=2.5), 2_500),
        (60_000, DUE + timedelta(hours=1), 0),
        # The clock of the one who wrote it is an hour ahead.
        (0, DUE - timedelta(hours=1), 0),
        (60_000, DUE - timedelta(hours=1), 60_000),
    ],
)
def test_a_job_waits_for_no_longer_than_it_was_delayed(delay_ms: int, now: datetime, left_ms: int) -> None:
    assert OutboxJob(Place("cms:1", 1), "job", DUE, delay_ms).left_ms(now) == left_ms


def test_the_places_of_a_hospital_have_no_gaps() -> None:
    assert Place("cms:1", 2).before == Place("cms:1", 1)
    assert Place("cms:1", 2).after == Place("cms:1", 3)
