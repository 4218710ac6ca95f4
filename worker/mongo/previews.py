"""Says what an ingest would do, without writing anything."""

from collections.abc import Sequence

from worker.contract import OnExisting, RecordStatus, Rejection
from worker.contract.identity import is_identified_by_name
from worker.contract.imports import PreviewOutcome, StoredElsewhere
from worker.contract.known import Known
from worker.contract.likeness import has_another_name
from worker.mongo.chunk_rows import Row, rows_of
from worker.mongo.chunk_writes import find_hospitals
from worker.mongo.client import Document, MongoHandle
from worker.mongo.errors import translated
from worker.mongo.fates import changed_word, find_fate
from worker.mongo.stored_elsewhere import find_elsewhere

_NO_JOB = ""


async def preview(
    mongo: MongoHandle, records: Sequence[Known | Rejection], on_existing: OnExisting
) -> PreviewOutcome:
    """Return what would become of each record, compared with what is stored now.

    Records of one identity are each compared with the stored hospital, not with each other: whoever has the whole
    file finds collisions. Raises the errors of `worker.mongo.errors`.
    """
    rows = await rows_of(records, on_existing, None, None)
    with translated():
        existing = await find_hospitals(mongo, {row.hospital_id for row in rows})
        absent = [row for row in rows if row.hospital_id not in existing]
        elsewhere = await find_elsewhere(mongo, absent, existing.keys())
    known = {row.position: _status(row, existing.get(row.hospital_id), on_existing) for row in rows}
    statuses = [known.get(index, "rejected") for index in range(len(records))]
    return PreviewOutcome(
        statuses=statuses,
        stored=len(rows) - len(absent),
        stored_elsewhere=[StoredElsewhere(index=index, hospital_id=it) for index, it in elsewhere.items()],
        renamed=sum(
            known[row.position] == changed_word(on_existing)
            and not is_identified_by_name(row.known)
            and has_another_name(existing[row.hospital_id], row.known)
            for row in rows
            if row.hospital_id in existing
        ),
        token=mongo.latest_token(),
    )


def _status(row: Row, stored: Document | None, on_existing: OnExisting) -> RecordStatus:
    if stored is None:
        return "same" if row.repeats else "created"
    fate = find_fate(stored, row.known, on_existing, _NO_JOB)
    return changed_word(on_existing) if fate is None else fate.status
