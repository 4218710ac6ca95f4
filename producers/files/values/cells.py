"""What reading a cell can result in: a value, `MISSING`, or `UnreadableCell`; and the reports made of them."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, Protocol

from worker.contract import HospitalRecord
from worker.contract.comparison import ALL_READ
from worker.contract.known import Known
from worker.contract.payloads import unread_fields

_LONGEST_SHOWN = 200
_MOST_LOOKED_AT = 1_000


class Missing(Enum):
    """The type of `MISSING`."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
"""The cell says that the value is not known."""


class UnreadableCell(Exception):
    """A cell contains something that cannot be read as a value of its field. The message is the reason.

    The reason is the same for all cells with the same fault, so that they can be counted; it never has the value.
    """


class CellReader(Protocol):
    """Reads the cells of one field, all by the same decisions."""

    @property
    def changes(self) -> Counter[str]:
        """How many cells were changed beyond trimming, by what was done."""

    def read(self, cells: Sequence[object]) -> object:
        """Return the value of the field, or `MISSING`. Raises `UnreadableCell`.

        `cells` has one cell for each column that the field is taken from. Text formats give text, others native
        values.
        """


class MappedColumns(Protocol):
    """A field and the columns that it is taken from, as `producers.files.columns` has chosen them."""

    @property
    def field(self) -> str:
        """A field of `HospitalRecord`, `latitude`, `longitude` or `attributes.NAME`."""

    @property
    def columns(self) -> tuple[str, ...]:
        """One column or several."""


class Sampled(Protocol):
    """What the decisions about a column are made from."""

    @property
    def sample(self) -> Sequence[object]:
        """Cells of the column that are not empty, spread over the file."""

    @property
    def values(self) -> Mapping[str, int]:
        """How often each value occurs in the whole file, if there are few different ones; else empty."""

    @property
    def missing_words(self) -> Set[str]:
        """Words for "not known" in the column, which need not be in the sample."""


class Row(Protocol):
    """A row as the file's reader returns it."""

    @property
    def line(self) -> int:
        """The number of the row's first line, from 1."""

    @property
    def fields(self) -> Mapping[str, object]:
        """The cells by column."""

    @property
    def text(self) -> str | None:
        """The line itself, if it could not be split into columns."""

    @property
    def problem(self) -> str | None:
        """Why the row cannot be used at all."""

    @property
    def repaired(self) -> tuple[str, ...]:
        """Columns in which a stray byte was read as cp1252."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An optional value that could not be read: its field, column (`a + b` if several), cell and the reason.

    `value` is the cell's text, cut at 200 characters. It may go to the report file and to the terminal of the
    person who loads the file, never to a log.
    """

    field: str
    column: str
    value: str
    reason: str


@dataclass(slots=True)
class FileRow:
    """One row: the number of its first line, the known fields of its record or the reasons why it has none.

    `left_out` are the optional cells that could not be read. `fields` are the row's values by column; `text` is the
    line itself if it could not be split into columns.
    """

    line: int
    known: Known | None
    reasons: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    fields: Mapping[str, object]
    text: str | None

    @property
    def record(self) -> HospitalRecord | None:
        """The record, made anew with each access."""
        return None if self.known is None else HospitalRecord.model_validate(self.known)

    @property
    def unread_fields(self) -> frozenset[str]:
        """The fields of the record that were left out of it."""
        return unread_fields(cell.field for cell in self.left_out) if self.left_out else ALL_READ


DateOrder = Literal["dmy", "mdy", "ymd"]


def one_cell(cells: Sequence[object], joined_by: str = " ") -> object:
    """Return the cell, or the text of several: a date and a time, a latitude and a longitude."""
    return (
        cells[0]
        if len(cells) == 1
        else joined_by.join(str(cell).strip() for cell in cells if cell is not None) or None
    )


def shown(cells: Sequence[object]) -> str:
    """Return the text of cells for a report, without line breaks and lone surrogates, cut at 200 characters.

    It may contain what a terminal takes for a command: use `worker.escaping` to show it.
    """
    # The cut comes first, because a cell may have a million characters.
    text = " ".join(" | ".join(str(cell)[:_MOST_LOOKED_AT] for cell in cells if cell is not None).split())
    text = text.encode(errors="backslashreplace").decode()
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
