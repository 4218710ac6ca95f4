"""Stand-ins for what `producers.files.columns` and the survey of a file give to the readers of values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from producers.files.values import FileRow, RowReader, UnreadableCell, ValueWishes, choose_readers

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Mapped:
    """A field and its columns."""

    field: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """The statistics of a column, as far as values need them."""

    sample: Sequence[object]
    values: Mapping[str, int] = field(default_factory=dict)
    missing_words: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Row:
    """A row as a reader of files returns it."""

    fields: Mapping[str, object]
    line: int = 2
    text: str | None = None
    problem: str | None = None
    repaired: tuple[str, ...] = field(default=())


def read_column(
    name: str, cells: Sequence[object], wishes: ValueWishes | None = None, header: str = "c"
) -> list[Any]:
    """Return what each cell of a column is read as; a reason in `!` if it cannot be read."""
    chosen = choose_readers([Mapped(name, (header,))], {header: Column(cells)}, wishes or ValueWishes(), now=NOW)
    reader = chosen.by_field[name]
    return [_read(reader, cell) for cell in cells]


def notes_of(name: str, cells: Sequence[object], wishes: ValueWishes | None = None, header: str = "c") -> str:
    """Return the notes on a column, on one line."""
    mapped = [Mapped(name, (header,))]
    return " ".join(choose_readers(mapped, {header: Column(cells)}, wishes or ValueWishes(), now=NOW).notes)


def read_rows(
    fields: Mapping[str, str | tuple[str, ...]],
    rows: Sequence[Mapping[str, object]],
    *,
    strict: bool = False,
    constants: Mapping[str, object] | None = None,
    wishes: ValueWishes | None = None,
) -> list[FileRow]:
    """Return the rows of a file whose columns are mapped by `fields`, read by what all of them show."""
    mapped = [Mapped(name, (it,) if isinstance(it, str) else it) for name, it in fields.items()]
    columns = {column for it in mapped for column in it.columns}
    statistics = {it: Column([row[it] for row in rows if row.get(it) not in (None, "")]) for it in columns}
    readers = choose_readers(mapped, statistics, wishes or ValueWishes(), now=NOW)
    reader = RowReader(mapped, readers, strict=strict, constants=constants)
    return [reader.read(Row(row, line)) for line, row in enumerate(rows, start=2)]


def _read(reader: Any, cell: object) -> Any:
    try:
        return reader.read((cell,))
    except UnreadableCell as error:
        return f"!{error}"
