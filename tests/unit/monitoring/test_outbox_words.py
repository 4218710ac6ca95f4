from datetime import UTC, datetime, timedelta

import pytest

from worker.monitoring.outbox_words import outbox_lines
from worker.queue.heartbeats import OutboxState

NOW = datetime(2026, 11, 28, tzinfo=UTC)
AGO = NOW - timedelta(seconds=34)
SKIPPED = (
    "jobs in the outbox that cannot be enqueued: 2, and the later ones of their hospitals wait "
    "(outbox_job_skipped in the log)"
)
UNREADABLE = "documents in the outbox that are not jobs: 1 (outbox_documents_unreadable in the log)"


@pytest.mark.parametrize(
    ("state", "lines"),
    [
        (None, []),
        (OutboxState(jobs=0), []),
        (OutboxState(jobs=1_200, oldest_due=AGO), ["jobs in the outbox: 1,200, the oldest due for 34 s"]),
        (
            OutboxState(jobs=1, oldest_due=NOW + timedelta(hours=1)),
            ["jobs in the outbox: 1, none due"],
        ),
        (OutboxState(jobs=0, unreadable=1), [UNREADABLE]),
        (
            OutboxState(jobs=3, oldest_due=AGO, skipped=2, unreadable=1),
            ["jobs in the outbox: 3, the oldest due for 34 s", SKIPPED, UNREADABLE],
        ),
    ],
)
def test_only_what_is_there_is_said(state: OutboxState | None, lines: list[str]) -> None:
    assert list(outbox_lines(state, NOW.timestamp() * 1000)) == lines
