"""Which counts of an import's rows are the latest."""

from datetime import UTC, datetime

import pytest

from worker.contract.imports import Import, ImportedFile
from worker.queue.batches import BatchProgress, BatchState
from worker.queue.import_counts import latest_counts

AT = datetime(2026, 6, 30, tzinfo=UTC)
AT_END = {"created": 1_000}
OF_BATCH = {"created": 1_500}


def an_import(state: str, counts: dict[str, int]) -> Import:
    file = ImportedFile(name="list.csv", bytes=1, sha256="0" * 64, rows=2_000)
    return Import.model_validate(
        {"import_id": "i", "state": state, "file": file, "counts": counts, "on_existing": "keep",
         "started_by": "jane", "started_at": AT}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "at_end", "batch", "expected"),
    [
        ("running", {}, "open", OF_BATCH),
        ("running", {}, None, {}),
        ("finished", AT_END, None, AT_END),
        # A chunk was retried after the end.
        ("finished", AT_END, "finished", OF_BATCH),
        ("cancelled", AT_END, "cancelled", OF_BATCH),
        # A fail-over has set the batch back.
        ("finished", AT_END, "open", AT_END),
        ("finished", AT_END, "sealed", AT_END),
    ],
)
def test_the_latest_counts_are_chosen(
    state: str, at_end: dict[str, int], batch: BatchState | None, expected: dict[str, int]
) -> None:
    progress = None
    if batch is not None:
        ended_at = AT if batch in ("finished", "cancelled") else None
        progress = BatchProgress(
            batch_id="i", state=batch, total=2, counts=OF_BATCH, created_at=AT, finished_at=ended_at
        )
    assert latest_counts(an_import(state, at_end), progress) == expected
