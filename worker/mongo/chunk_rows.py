"""The rows of a chunk, and which row of an import has an identity.

Within an import an identity belongs to the first row that is applied under it. Another row with this identity must
be a repetition of it: a row that may be another hospital (`worker.contract.comparison.collision_differences`) is in
collision and is not applied. Without an import, each chunk is one.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

from worker.contract import OnExisting, Rejection
from worker.contract.comparison import (
    ALL_READ,
    collision_differences,
    content_differences,
    distinguishing_key,
    is_conflict,
)
from worker.contract.identity import hospital_identity
from worker.contract.known import Known
from worker.mongo.client import Document
from worker.mongo.documents import applied_revision, import_row, merge_changes_nothing, origin_of
from worker.mongo.memory import NOTHING, Remembered

# Preparing this many records takes a few milliseconds; then other jobs get a turn on the event loop.
_RECORDS_PER_TURN = 200


class Row(NamedTuple):
    """One valid record of a chunk, at this position in it, from 0.

    `repeats` means that an earlier row of the chunk has the same identity. `same_as` is the position of an earlier
    row that has all values of this one, which then changes nothing. It is not sent: unlike a change it would leave
    no trace, and a redelivered chunk could not know that it was applied. `origin` is the row of the import, as a
    hospital that it creates stores it. `unread` are the fields that could not be read.
    """

    position: int
    hospital_id: str
    known: Known
    repeats: bool
    same_as: int | None
    line: int | None
    origin: str | None
    unread: Set[str] = ALL_READ


@dataclass(frozen=True, slots=True)
class Holder:
    """The row that has an identity: what tells hospitals apart, its line and its position in this chunk.

    A row of another chunk has no position here, and a row of a payload without lines has no line.
    """

    known: Mapping[str, Any]
    line: int | None = None
    position: int | None = None

    def collides_with(self, row: Row, *, whole: bool = False) -> bool:
        """Whether `row` is another row than this one, and may be another hospital.

        `whole` means that rows replace the whole content.
        """
        if row.position == self.position or (self.line is not None and row.line == self.line):
            return False
        return bool(collision_differences(self.known, row.known, whole=whole, unread=row.unread))


async def rows_of(
    records: Sequence[Known | Rejection],
    on_existing: OnExisting,
    import_id: str | None,
    lines: Sequence[int] | None,
    unread: Mapping[int, Set[str]],
) -> list[Row]:
    """Return the rows of the valid records, in order; `unread` has what could not be read of some, by index."""
    rows: list[Row] = []
    first: dict[str, Row] = {}
    # The latest row by identity and, once an identity is repeated, by what tells hospitals apart.
    latest: dict[tuple[str, tuple[object, ...]], Row] = {}
    for index, known in enumerate(records):
        if index % _RECORDS_PER_TURN == 0:
            await asyncio.sleep(0)
        if isinstance(known, Rejection):
            continue
        hospital_id = hospital_identity(known)
        line = None if lines is None else lines[index]
        origin = import_row(import_id, line) if import_id is not None and line is not None else None
        its_unread = unread.get(index, ALL_READ)
        row = Row(index, hospital_id, known, hospital_id in first, None, line, origin, its_unread)
        if row.repeats:
            original = first[hospital_id]
            latest.setdefault((hospital_id, distinguishing_key(original.known)), original)
            key = (hospital_id, distinguishing_key(known))
            earlier = latest.get(key)
            if earlier is not None and _adds_nothing(earlier.known, row, on_existing):
                row = row._replace(same_as=earlier.position)
            else:
                latest[key] = row
        else:
            first[hospital_id] = row
        rows.append(row)
    return rows


def _adds_nothing(earlier: Known, row: Row, on_existing: OnExisting) -> bool:
    if on_existing == "replace" and content_differences(earlier, row.known, whole=True, unread=row.unread):
        return False
    return merge_changes_nothing(earlier, row.known)


@dataclass(frozen=True, slots=True)
class Claims:
    """Who has the identities of a chunk: `held` by a known row, `open` to the row that claims it first."""

    held: dict[str, Holder]
    open: dict[str, Row]


def find_claims(
    rows: Sequence[Row],
    existing: Mapping[str, Document],
    remembered: Mapping[str, Remembered],
    job_id: str,
    import_ids: Collection[str],
) -> Claims:
    """Return who has each identity that is repeated in the chunk or stored by another job.

    `existing` are the stored hospitals, after the absent ones were inserted. `import_ids` are the import and
    earlier ones of the same list: a hospital that a row of the list has created is that row's. An identity is open
    if it was stored otherwise before the import: then the first row that is not in conflict with the stored
    hospital may claim it.
    """
    by_hospital: dict[str, list[Row]] = {}
    for row in rows:
        by_hospital.setdefault(row.hospital_id, []).append(row)
    claims = Claims({}, {})
    for hospital_id, its_rows in by_hospital.items():
        stored = existing.get(hospital_id)
        memory = remembered.get(hospital_id, NOTHING)
        first = its_rows[0]
        if stored is None or stored["created_by_job"] == job_id or memory.created:
            if len(its_rows) > 1:
                claims.held[hospital_id] = _holder(first)
            continue
        if (origin := origin_of(stored)) is not None and origin[0] in import_ids:
            creator = next((row for row in its_rows if row.line == origin[1]), None)
            # Other lists may have changed the hospital since.
            claims.held[hospital_id] = Holder(stored, line=origin[1]) if creator is None else _holder(creator)
            continue
        applied = [row for row in its_rows if row_changed(row, stored, remembered, job_id)]
        candidates = applied or [row for row in its_rows if not is_conflict(stored, row.known)]
        if candidates:
            claims.open[hospital_id] = candidates[0]
    return claims


def row_changed(row: Row, stored: Document | None, remembered: Mapping[str, Remembered], job_id: str) -> bool:
    """Return whether the row has created or changed its hospital, now or in an earlier delivery of the chunk."""
    memory = remembered.get(row.hospital_id, NOTHING)
    if not row.repeats and (memory.created or (stored is not None and stored["created_by_job"] == job_id)):
        return True
    return row.position in memory.changes or (
        stored is not None and applied_revision(stored, job_id, row.position) is not None
    )


def _holder(row: Row) -> Holder:
    return Holder(row.known, line=row.line, position=row.position)


def held_in_chunk(open_claims: Mapping[str, Row]) -> dict[str, Holder]:
    """Return the holders if the chunk is an import of its own: whoever may claim an identity has it."""
    return {hospital_id: _holder(row) for hospital_id, row in open_claims.items()}
