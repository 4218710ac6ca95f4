"""Groups the rows of a file into the chunks of an import."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from producers.files import FileRow, HospitalFile
from producers.files.table import COLLISION, REASON_COLUMN
from worker.contract import MAX_CHUNK_RECORDS, IngestHospitals, LeftOutCell, OnExisting, UnreadRow
from worker.contract.known import Known

# A job of more than 16 MB is refused. A chunk without attributes has at most half of that, and each character of an
# attribute takes up to four bytes.
_ATTRIBUTE_CHARACTERS_PER_CHUNK = 1_500_000
_LONGEST_REASON, _LONGEST_COLUMN, _LONGEST_CELL = 500, 500, 200


@dataclass(slots=True)
class Chunk:
    """Rows for one job: the known fields and the line of each record, and what could not be read.

    `last_line` is the line of the last row. `collided` says that they are of a file of rows to correct, and
    collided in the import that they are from. The row that they collided with is not in that file, so they must not
    change the hospital that has their identity.
    """

    collided: bool
    records: list[Known] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    unread: list[UnreadRow] = field(default_factory=list)
    rows: int = 0
    last_line: int = 0

    def add(self, row: FileRow) -> None:
        """Take a row. Its cells are not kept: a chunk without them is faster to make, because it fits the cache."""
        self.rows += 1
        self.last_line = row.line
        if row.known is not None:
            self.records.append(row.known)
            self.lines.append(row.line)
        if row.known is None or row.left_out:
            self.unread.append(_unread(row))

    def payload(self, import_id: str, number: int, on_existing: OnExisting) -> IngestHospitals:
        """Return the payload of this chunk, the one with this number, from 0."""
        return IngestHospitals(
            # The codec converts instants to JSON.
            records=self.records,
            lines=self.lines,
            on_existing="keep" if self.collided else on_existing,
            import_id=import_id,
            chunk=number,
            collided=self.collided,
            unread=self.unread,
        )


def chunks_of(file: HospitalFile) -> Iterator[Chunk]:
    """Yield the rows in chunks. The same file makes the same chunks in every process."""
    corrections = REASON_COLUMN in file.statistics
    chunk, characters = Chunk(collided=False), 0
    for row in file.rows():
        if corrections and _has_collided(row) is not chunk.collided:
            # The report is written in the order of lines, so the other rows must not overtake these.
            if chunk.rows:
                yield chunk
            chunk, characters = Chunk(collided=not chunk.collided), 0
        chunk.add(row)
        if row.known is not None and "attributes" in row.known:
            characters += sum(len(str(value)) for value in row.known["attributes"].values())
        if chunk.rows == MAX_CHUNK_RECORDS or characters >= _ATTRIBUTE_CHARACTERS_PER_CHUNK:
            yield chunk
            chunk, characters = Chunk(collided=chunk.collided), 0
    if chunk.rows:
        yield chunk


def _has_collided(row: FileRow) -> bool:
    return str(row.fields.get(REASON_COLUMN)).startswith(COLLISION)


def _unread(row: FileRow) -> UnreadRow:
    return UnreadRow(
        line=row.line,
        reasons=[reason[:_LONGEST_REASON] for reason in row.reasons],
        left_out=[
            LeftOutCell(
                field=cell.field,
                column=cell.column[:_LONGEST_COLUMN],
                value=cell.value[:_LONGEST_CELL],
                reason=cell.reason[:_LONGEST_REASON],
            )
            for cell in row.left_out
        ],
    )
