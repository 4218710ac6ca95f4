"""Ingests many records at once.

It takes one look-up of stored hospitals, one unordered insert of the absent ones and, with `merge` or `replace`,
unordered bulk writes. In an import, one more insert claims the identities that were stored before it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence, Set

from worker.contract import ChunkOutcome, IngestStatus, OnExisting, Rejection
from worker.contract.comparison import contradicts, is_conflict
from worker.contract.known import Known
from worker.mongo.chunk_rows import Holder, Row, find_claims, held_in_chunk, row_changed, rows_of
from worker.mongo.chunk_writes import change, find_hospitals, insert_absent, lost_races
from worker.mongo.claims import claim
from worker.mongo.client import Document, MongoHandle
from worker.mongo.documents import merge_changes_nothing, origin_of
from worker.mongo.errors import translated
from worker.mongo.fates import changed_word, find_fate
from worker.mongo.hospitals import UPSERT_TRIES
from worker.mongo.imports import same_imports
from worker.mongo.memory import NOTHING, Remembered
from worker.mongo.reports import ChunkReport


async def ingest_many(
    mongo: MongoHandle,
    records: Sequence[Known | Rejection],
    on_existing: OnExisting,
    job_id: str,
    *,
    import_id: str | None = None,
    lines: Sequence[int] | None = None,
    unread: Mapping[int, Set[str]] | None = None,
    collided: bool = False,
) -> ChunkOutcome:
    """Ingest the records of a chunk; a `Rejection` takes the place of a record that failed validation.

    If several records are of one absent hospital, the first creates it and the others find it stored. `import_id`,
    `lines` and `collided` are those of the payload (`worker.contract.IngestHospitals`). `unread` has the fields
    that could not be read, by the index of the record: what is stored of them stays.

    Raises the errors of `worker.mongo.errors` for a failure of the whole chunk; a redelivered chunk continues where
    it failed.
    """
    rows = await rows_of(records, on_existing, import_id, lines, unread or {})
    report = ChunkReport(
        (record for record in records if isinstance(record, Rejection)), whole=on_existing == "replace"
    )
    hospital_ids = {row.hospital_id for row in rows}
    async with mongo.chunk_locks.hold(hospital_ids):
        remembered = await mongo.memory.recall(job_id)
        with translated():
            existing = await find_hospitals(mongo, hospital_ids)
            chunk = _Chunk(mongo, on_existing, job_id, import_id, existing, remembered, report, collided=collided)
            await chunk.ingest(rows)
    return report.outcome(len(records), mongo.latest_token())


class _Chunk:
    """One delivery of a chunk. `existing` has the stored hospitals as they were last seen."""

    def __init__(
        self,
        mongo: MongoHandle,
        on_existing: OnExisting,
        job_id: str,
        import_id: str | None,
        existing: dict[str, Document],
        remembered: Mapping[str, Remembered],
        report: ChunkReport,
        *,
        collided: bool,
    ) -> None:
        self._mongo = mongo
        self._collided = collided
        self._on_existing = on_existing
        self._job_id = job_id
        self._import_id = import_id
        self._existing = existing
        self._remembered = remembered
        self._report = report
        self._handled: set[int] = set()
        self._refused: dict[int, str] = {}

    async def ingest(self, rows: list[Row]) -> None:
        """Apply the rows, and note what became of each."""
        if self._remembered:
            self._handled = {row.position for row in rows if self._was_handled(row)}
        absent = [
            row
            for row in rows
            if not row.repeats and row.hospital_id not in self._existing and row.position not in self._handled
        ]
        inserted, refused = await insert_absent(self._mongo, absent, self._existing, self._job_id)
        repeated = {row.hospital_id for row in rows if row.repeats}
        to_compare: list[Row] = []
        for row in rows:
            if (problem := refused.get(row.hospital_id)) is not None:
                # A later row of the same hospital has nothing to be compared with or merged into.
                self._report.rejected(row, problem)
            elif row.hospital_id in inserted and row.hospital_id not in repeated:
                self._report.settled(row, "created", None)
            else:
                to_compare.append(row)
        await self._apply(await self._own_rows(to_compare))

    def _was_handled(self, row: Row) -> bool:
        """Return whether the memory shows that an earlier delivery of this chunk has handled the row."""
        known = self._remembered.get(row.hospital_id, NOTHING)
        if not known.changes:
            return False
        # Rows are applied in order. A hospital that is gone, or was removed and is a later one's, is left alone.
        return known.created or row.hospital_id not in self._existing or row.position <= max(known.changes)

    async def _own_rows(self, rows: list[Row]) -> list[Row]:
        """Note the rows that are of another hospital than the one with their identity; return the others."""
        same_list = await self._imports_of_the_list()
        claims = find_claims(rows, self._existing, self._remembered, self._job_id, same_list)
        if self._import_id is None:
            holders = claims.held | held_in_chunk(claims.open)
        else:
            holders = claims.held | await claim(self._mongo, self._import_id, claims.open)
        own: list[Row] = []
        for row in rows:
            holder, stored = holders.get(row.hospital_id), self._existing.get(row.hospital_id)
            if row_changed(row, stored, self._remembered, self._job_id):
                own.append(row)
            elif holder is not None and holder.collides_with(row, whole=self._on_existing == "replace"):
                # Before the comparison with the stored hospital, because the holder may change that.
                self._report.collision(row, holder)
            elif self._collided and stored is not None and contradicts(stored, row.known):
                # The row that has the identity was of an earlier import.
                self._report.collision(row, Holder(stored))
            elif holder is None and stored is not None and is_conflict(stored, row.known):
                self._report.settled(row, "conflict", stored)
            else:
                own.append(row)
        return own

    async def _imports_of_the_list(self) -> frozenset[str]:
        """Return this import, and earlier ones of the same list that have created hospitals of the chunk."""
        if self._import_id is None:
            return frozenset()
        origins = {origin[0] for stored in self._existing.values() if (origin := origin_of(stored)) is not None}
        others = origins - {self._import_id}
        return await same_imports(self._mongo, self._import_id, others) | {self._import_id}

    async def _apply(self, rows: list[Row]) -> None:
        """Change stored hospitals, where they are to be changed; the rows of one hospital are applied in order."""
        waiting = rows
        changed: dict[str, Document] = {}
        tries: Counter[int] = Counter()
        while waiting:
            one_round, waiting = _next_round(waiting)
            to_change = [row for row in one_round if self._may_change(row)]
            if to_change:
                self._refused |= await change(
                    self._mongo, to_change, self._existing, self._job_id, whole=self._on_existing == "replace"
                )
                changed |= await self._look_again(to_change)
            again = [row for row in one_round if not self._settle(row)]
            if again:
                # Either name or place were changed after they had been compared, or other jobs have moved what this
                # job did to the memory.
                self._remembered = await self._mongo.memory.recall(self._job_id)
                again = [row for row in again if not self._settle(row)]
                tries.update(row.position for row in again)
                if any(tries[row.position] == UPSERT_TRIES for row in again):
                    raise lost_races(len(again))
            waiting = again + waiting
        await self._mongo.memory.shorten(changed.values())

    def _may_change(self, row: Row) -> bool:
        """Return whether to send the row. Skipping no-ops saves the server most of the work of a repeated file."""
        if self._on_existing == "keep" or row.position in self._handled or row.same_as is not None:
            return False
        stored = self._existing.get(row.hospital_id)
        if stored is None:
            return True
        fate = self._fate(row, stored)
        if fate == "same":
            # A later observation of the same content is stored too.
            return "observed_at" in row.known and not merge_changes_nothing(stored, row.known)
        return fate is None

    async def _look_again(self, rows: Sequence[Row]) -> dict[str, Document]:
        hospital_ids = [row.hospital_id for row in rows]
        found = await find_hospitals(self._mongo, hospital_ids)
        for hospital_id in hospital_ids:
            self._existing.pop(hospital_id, None)
        self._existing |= found
        return found

    def _settle(self, row: Row) -> bool:
        """Note what became of the row. Return whether that is known."""
        problem = self._refused.get(row.position if row.same_as is None else row.same_as)
        if problem is not None:
            self._report.rejected(row, problem)
            return True
        stored = self._existing.get(row.hospital_id)
        memory = self._remembered.get(row.hospital_id, NOTHING)
        fate: IngestStatus
        if memory.created and not row.repeats:
            fate = "created"
        elif memory.changes.get(row.position, 1) > 1:
            fate = changed_word(self._on_existing)
        elif stored is not None and (found := self._fate(row, stored)) is not None:
            fate = found
        elif row.position in self._handled or row.same_as is not None:
            # It left no trace when it was handled, so it changed nothing.
            fate = "kept" if self._on_existing == "keep" else "same"
        else:
            return False
        self._report.settled(row, fate, stored)
        return True

    def _fate(self, row: Row, stored: Document) -> IngestStatus | None:
        fate = find_fate(
            stored,
            row.known,
            self._on_existing,
            self._job_id,
            position=row.position,
            repeats=row.repeats,
            origin=row.origin,
            unread=row.unread,
        )
        return None if fate is None else fate.status


def _next_round(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Split rows into the first of each hospital, and those that come after it."""
    first: dict[str, Row] = {}
    later: list[Row] = []
    for row in rows:
        if row.hospital_id in first:
            later.append(row)
        else:
            first[row.hospital_id] = row
    return list(first.values()), later
