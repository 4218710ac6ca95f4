"""Which counts of an import's rows are the latest: those in MongoDB or those of its batch in Redis."""

from collections.abc import Mapping

from worker.contract.imports import Import
from worker.queue.batches import BatchProgress


def latest_counts(found: Import, progress: BatchProgress | None) -> Mapping[str, int]:
    """Return the counts of an import, by name; `progress` is how far its batch is, if Redis knows that.

    The import's own are those at its end: a chunk that an operator has retried since counts in its batch alone. But
    after a fail-over the batch of an import that has ended may be open again, and know less.
    """
    is_latest = progress is not None and (progress.has_ended or found.state == "running")
    return (progress.counts if progress and is_latest else {}) or found.counts
