"""Says what an ingest would do, without writing anything."""

from collections.abc import Mapping, Sequence, Set

from worker.contract import OnExisting, RecordStatus, Rejection
from worker.contract.folding import name_key
from worker.contract.identity import is_identified_by_name
from worker.contract.imports import PreviewOutcome, StoredElsewhere
from worker.contract.known import Known
from worker.contract.likeness import has_another_name, has_another_place, may_be_same
from worker.mongo.chunk_rows import Row, rows_of
from worker.mongo.chunk_writes import find_hospitals
from worker.mongo.client import Document, MongoHandle
from worker.mongo.errors import translated
from worker.mongo.fates import changed_word, find_fate
from worker.mongo.stored_elsewhere import find_elsewhere, find_namesakes, may_be_of_source

_NO_JOB = ""
_TOWN = ("city", "postal_code")


async def preview(
    mongo: MongoHandle,
    records: Sequence[Known | Rejection],
    on_existing: OnExisting,
    unread: Mapping[int, Set[str]] | None = None,
) -> PreviewOutcome:
    """Return what would become of each record, compared with what is stored now.

    Records of one identity are each compared with the stored hospital, not with each other: whoever has the whole
    file finds collisions. `unread` has the fields that could not be read, by index. Raises the errors of
    `worker.mongo.errors`.
    """
    rows = await rows_of(records, on_existing, None, None, unread or {})
    with translated():
        existing = await find_hospitals(mongo, {row.hospital_id for row in rows})
        absent = [row for row in rows if row.hospital_id not in existing]
        elsewhere = await find_elsewhere(mongo, absent, existing.keys())
    known = {row.position: _status(row, existing.get(row.hospital_id), on_existing) for row in rows}
    statuses = [known.get(index, "rejected") for index in range(len(records))]
    changing = [
        row
        for row in rows
        if known[row.position] == changed_word(on_existing) and not is_identified_by_name(row.known)
    ]
    with translated():
        moved = await _count_moved(mongo, rows, changing, existing)
    return PreviewOutcome(
        statuses=statuses,
        stored=len(rows) - len(absent),
        stored_elsewhere=[StoredElsewhere(index=index, hospital_id=it) for index, it in elsewhere.items()],
        renamed=sum(has_another_name(existing[row.hospital_id], row.known) for row in changing),
        moved=moved,
        token=mongo.latest_token(),
    )


async def _count_moved(
    mongo: MongoHandle, rows: Sequence[Row], changing: Sequence[Row], existing: Mapping[str, Document]
) -> int:
    """Count the rows that describe one stored hospital and have the identifier of another: codes were given anew.

    A stored hospital does not count if its own row still describes it, nor if several hospitals share its name and
    their town is not known.
    """
    settled = {row.hospital_id for row in rows if row.hospital_id in existing and not _is_moved(row, existing)}
    moved = [row for row in changing if row.hospital_id not in settled]
    if not moved:
        return 0
    namesakes = await find_namesakes(mongo, moved)
    count = 0
    for row in moved:
        found = namesakes.get(name_key(row.known["hospital_name"]), ())
        count += any(
            it["_id"] not in settled
            and it["_id"] != row.hospital_id
            and may_be_of_source(it, row)
            and may_be_same(it, row.known)
            and (len(found) == 1 or any(field in it and field in row.known for field in _TOWN))
            for it in found
        )
    return count


def _is_moved(row: Row, existing: Mapping[str, Document]) -> bool:
    stored = existing[row.hospital_id]
    return has_another_name(stored, row.known) or has_another_place(stored, row.known)


def _status(row: Row, stored: Document | None, on_existing: OnExisting) -> RecordStatus:
    if stored is None:
        return "same" if row.repeats else "created"
    fate = find_fate(stored, row.known, on_existing, _NO_JOB, unread=row.unread)
    return changed_word(on_existing) if fate is None else fate.status
