"""What is in the outbox, in words."""

from collections.abc import Iterator

from worker.monitoring.times import duration
from worker.queue.heartbeats import OutboxState


def outbox_lines(state: OutboxState | None, now_ms: float) -> Iterator[str]:
    """Yield what is in the outbox; nothing if it is empty, or if no worker has said what it has."""
    if state is None:
        return
    if state.jobs:
        age_s = state.age_s(now_ms)
        oldest = f"the oldest due for {duration(age_s)}" if age_s else "none due"
        yield f"jobs in the outbox: {state.jobs:,}, {oldest}"
    if state.skipped:
        yield (
            f"jobs in the outbox that cannot be enqueued: {state.skipped:,}, and the later ones of their hospitals "
            "wait (outbox_job_skipped in the log)"
        )
    if state.unreadable:
        yield (
            f"documents in the outbox that are not jobs: {state.unreadable:,} "
            "(outbox_documents_unreadable in the log)"
        )
