"""Gathers the statistics of columns in one pass over a file, in bounded memory."""

from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from producers.files.column_collector import LARGEST_SAMPLE, ColumnCollector
from producers.files.statistics import ColumnStatistics, KeyRole
from producers.files.transposing import as_texts, cells_by_column
from producers.files.uniqueness import HospitalHashes, hashes

_ROWS_A_BATCH = 500
# A batch of large rows ends earlier: JSON may have an outline of thousands of points in each row.
_CHARACTERS_A_BATCH = 1_000_000
# For all columns together, so a file of 10,000 columns has short samples: about 20 MB of usual text.
_CELLS_SAMPLED = 100_000
_SMALLEST_SAMPLE = 20
# 40 MB: the rows, what tells their hospitals apart and three columns, of a million rows. A file with more rows
# loses keys of pairs first.
_MOST_HASHES = 5_000_000
_MOST_COLUMNS_IN_PAIRS = 3
_FIRST_CHECK = 4_096


class StatisticsCollector:
    """Gathers `ColumnStatistics`: give every row of a file to `add`, then call `finish`.

    `role` says what a column may be in a key by its name, and `telling_apart` which of the columns tell hospitals
    apart; without them every difference of two rows counts. Columns that appear first in later rows, as JSON
    allows, are added up to `most_columns`.
    """

    def __init__(
        self,
        columns: Sequence[str],
        *,
        role: Callable[[str], KeyRole] = lambda _: "none",
        telling_apart: Callable[[Sequence[str]], Sequence[str]] = lambda _: (),
        most_columns: int = 10_000,
    ) -> None:
        self._role = role
        self._hospitals = HospitalHashes(telling_apart)
        self._most_columns = most_columns
        self._columns: dict[str, ColumnCollector] = {}
        self._roles: Counter[KeyRole] = Counter()
        self._waiting: list[Mapping[str, object]] = []
        self._characters = 0
        self._rows = 0
        self._row_hashes = array("q")
        self._next_check = _FIRST_CHECK
        self._learn(columns)

    def add(self, row: Mapping[str, object]) -> None:
        """Take one row by column. Rows that could not be split into columns are not given."""
        self._waiting.append(row)
        self._characters += _size_of_row(row)
        if len(self._waiting) >= _ROWS_A_BATCH or self._characters >= _CHARACTERS_A_BATCH:
            self._take_in()

    def finish(self) -> dict[str, ColumnStatistics]:
        """Return the statistics of each column, in the order of the columns."""
        self._take_in()
        partners = [column for column in self._columns.values() if column.hashes is not None]
        return {
            name: column.statistics(self._rows, self._row_hashes, self._hospitals.hashes, partners)
            for name, column in self._columns.items()
        }

    def _learn(self, names: Sequence[str]) -> None:
        for name in names:
            if len(self._columns) >= self._most_columns:
                break
            role = self._role(name)
            self._roles[role] += 1
            if self._roles[role] > _MOST_COLUMNS_IN_PAIRS:
                role = "none"
            # Without the hashes of all rows, repeated rows cannot be told from repeated identifiers.
            self._columns[name] = ColumnCollector(
                name, role, self._rows, tracked=len(self._row_hashes) == self._rows
            )
        sample = max(_SMALLEST_SAMPLE, min(LARGEST_SAMPLE, _CELLS_SAMPLED // max(1, len(self._columns))))
        for column in self._columns.values():
            column.shorten_sample(sample)
        if self._roles["identifier"]:
            self._hospitals.learn(list(self._columns))

    def _take_in(self) -> None:
        rows = self._waiting
        if not rows:
            return
        self._waiting = []
        self._characters = 0
        present = list(self._columns)
        by_column = cells_by_column(rows, present)
        if by_column is None:
            names = dict.fromkeys(name for row in rows for name in row)
            self._learn([name for name in names if name not in self._columns])
            # Of thousands of columns of JSON, a row has a few.
            present = [name for name in self._columns if name in names]
            by_column = [[row.get(name) for row in rows] for name in present]
        texts = [as_texts(cells) for cells in by_column]
        tracked = any(column.hashes is not None for column in self._columns.values())
        batch = hashes(zip(*texts, strict=True)) if tracked and texts else array("q", bytes(8 * len(rows)))
        for name, cells, text in zip(present, by_column, texts, strict=True):
            self._columns[name].take_in(cells, text, batch)
        if len(present) < len(self._columns):
            for name in self._columns.keys() - set(present):
                self._columns[name].skip(len(rows))
        self._rows += len(rows)
        if tracked:
            self._row_hashes.extend(batch)
            self._hospitals.take_in(dict(zip(present, texts, strict=True)), batch)
            self._bound_hashes()

    def _bound_hashes(self) -> None:
        tracked = [column for column in self._columns.values() if column.hashes is not None]
        if self._rows >= self._next_check:
            self._next_check *= 4
            for column in tracked:
                column.check(self._row_hashes)
        # Parts of pairs go first, then the longest values: identifiers are short.
        tracked = sorted(
            (column for column in tracked if column.hashes is not None),
            key=lambda column: (column.is_only_in_pairs, column.role != "identifier", column.longest),
        )
        while tracked and (len(tracked) + 2) * self._rows > _MOST_HASHES:
            tracked.pop().forget()
        if not tracked:
            self._row_hashes = array("q")
            self._hospitals.forget()


def _size_of_row(row: Mapping[str, object]) -> int:
    """Return about how many characters a row has."""
    try:
        # Most rows are of text alone, and this runs for every row.
        return len("".join(row.values()))  # type: ignore[arg-type]
    except TypeError:
        return sum(map(_size, row.values()))


def _size(cell: object) -> int:
    if isinstance(cell, str):
        return len(cell)
    if isinstance(cell, Mapping):
        return sum(map(_size, cell.values())) + 8 * len(cell)
    return sum(map(_size, cell)) + 8 * len(cell) if isinstance(cell, list) else 8
