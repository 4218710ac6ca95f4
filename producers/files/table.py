"""What a file of rows is, whatever its format: `Table`, `RawRow`, `Dialect` and `Wishes`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

FileFormat = Literal["csv", "ndjson", "json", "geojson", "workbook", "parquet"]
Compression = Literal["", "gzip", "bz2", "xz", "zstd", "zip"]

LINE_COLUMN, REASON_COLUMN = REJECT_COLUMNS = ("import_line", "import_reason")
"""The columns that a file of rejected rows has besides its own: the line in the imported file, and the reason."""

COLLISION = "collision:"
"""How the reason begins why a row may be another hospital than the one that has its identity."""
EMPTY_DASHES = ("-", "\u2013", "\u2014")
"""Cells that lists write instead of nothing."""


def own_cells(fields: Mapping[str, object]) -> dict[str, str]:
    """Return the text of each cell of a row that says something, by column: a dash alone says nothing.

    What a file of rejected rows has besides its own columns is left out.
    """
    cells = {column: str(cell).strip() for column, cell in fields.items() if cell is not None}
    return {
        column: text
        for column, text in cells.items()
        if text and text not in EMPTY_DASHES and column not in REJECT_COLUMNS
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a file is to be read. What does not apply to its format has the default value."""

    format: FileFormat
    compression: Compression = ""
    encoding: str = "utf-8"
    """Python's name of the encoding; "" for workbooks and Parquet."""
    delimiter: str = ","
    """CSV: the character between two cells."""
    skip_rows: int = 0
    """CSV and workbook: lines, or rows of the sheet, above the header."""
    header: bool = True
    """CSV and workbook: if False, the first row is data and the columns are named "1", "2" and so on."""
    sheet: str = ""
    """Workbook: the sheet's name."""
    records: str = ""
    """JSON: where the array of records is, such as `data` or `result.items`; "" if the document is that array;
    `regions[].hospitals` for arrays in the objects of an array, `data.*` for the values of an object."""
    is_part_chosen: bool = False
    """Whether the user has chosen `sheet` or `records`. Otherwise, lists of the same kind beside it are missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user has said about a file. None means: detect it."""

    format: FileFormat | None = None
    encoding: str | None = None
    delimiter: str | None = None
    skip_rows: int | None = None
    header: bool | None = None
    sheet: str | None = None
    records: str | None = None
    usual_encoding: str | None = None
    """The encoding of an earlier delivery, which decides unless the bytes of this one show otherwise."""
    is_part_found: bool | None = None
    """Whether `sheet` or `records` is where an earlier delivery was found to be, and nobody has chosen it."""

    @property
    def is_part_chosen(self) -> bool:
        """Whether the user has said which sheet or list of the file is to be read."""
        return not self.is_part_found and (self.sheet is not None or self.records is not None)


@dataclass(slots=True)
class RawRow:
    """One row of a file, before its columns have a meaning."""

    line: int
    """The row's first physical line, its row of the sheet, or its number among the records; from 1."""
    fields: Mapping[str, object]
    """The cells by column. Text formats have str, the others int, float, bool, datetime, dict, list, None, too."""
    text: str | None = None
    """The line itself, cut to 2,000 characters, if it could not be split into columns."""
    problem: str | None = None
    """Why the row cannot be used at all."""
    repaired: tuple[str, ...] = ()
    """The columns in which a byte that is not of the file's encoding was read as cp1252."""


class Table(Protocol):
    """A file whose rows can be read, again and again. Create it with `producers.files.opening.open_table`."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def dialect(self) -> Dialect:
        """How it is read."""

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns; for JSON those of the first records, to which later ones may add."""

    @property
    def notes(self) -> Sequence[str]:
        """What a person should know of how the file was read, one sentence each."""

    @property
    def lines(self) -> int:
        """The number of physical lines, rows of the sheet or records: never fewer than there are rows."""

    def rows(self) -> Iterator[RawRow]:
        """Yield every row that is not blank, in order. Raises `FileError` if reading fails part-way."""
