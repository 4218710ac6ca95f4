"""Groups the rows of a file into the chunks of an import, and makes the payload of each chunk's job."""

from collections.abc import Iterator
from typing import NamedTuple

from producers.files import FileRow, HospitalFile
from producers.files.table import REASON_COLUMN
from worker.contract import MAX_CHUNK_RECORDS, IngestHospitals, LeftOutCell, OnExisting, UnreadRow
from worker.contract.comparison import given_values

# A job of more than 16 MB is refused. A chunk without attributes has at most half of that, and each character of an
# attribute takes up to four bytes.
_ATTRIBUTE_CHARACTERS_PER_CHUNK = 1_500_000
_LONGEST_REASON, _LONGEST_COLUMN, _LONGEST_CELL = 500, 500, 200
# How the reason begins that the worker gives for a row in collision.
_COLLISION = "collision:"


class Chunk(NamedTuple):
    """Rows for one job.

    `collided` says that they are of a file of rows to correct, and collided in the import that they are from. The
    row that they collided with is not in that file, so they must not change the hospital that has their identity.
    """

    collided: bool
    rows: list[FileRow]


def chunks_of(file: HospitalFile) -> Iterator[Chunk]:
    """Yield the rows in chunks. The same file makes the same chunks, whoever reads it."""
    collided, rows, characters = False, list[FileRow](), 0
    corrections = REASON_COLUMN in file.statistics
    for row in file.rows():
        if corrections and _has_collided(row) is not collided:
            # The report is written in the order of lines, so the other rows must not overtake these.
            if rows:
                yield Chunk(collided, rows)
            collided, rows, characters = not collided, [], 0
        rows.append(row)
        if row.record is not None and row.record.attributes:
            characters += sum(len(str(value)) for value in row.record.attributes.values())
        if len(rows) == MAX_CHUNK_RECORDS or characters >= _ATTRIBUTE_CHARACTERS_PER_CHUNK:
            yield Chunk(collided, rows)
            rows, characters = [], 0
    if rows:
        yield Chunk(collided, rows)


def _has_collided(row: FileRow) -> bool:
    return str(row.fields.get(REASON_COLUMN)).startswith(_COLLISION)


def payload_of(chunk: Chunk, import_id: str, number: int, on_existing: OnExisting) -> IngestHospitals:
    """Return the payload of the chunk with this number, from 0."""
    return IngestHospitals(
        # The codec converts instants and points to JSON.
        records=[given_values(row.record) for row in chunk.rows if row.record is not None],
        lines=[row.line for row in chunk.rows if row.record is not None],
        on_existing="keep" if chunk.collided else on_existing,
        import_id=import_id,
        chunk=number,
        unread=[_unread(row) for row in chunk.rows if row.record is None or row.left_out],
    )


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
