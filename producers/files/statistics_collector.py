"""Gathers the statistics of columns in one pass over a file, in bounded memory."""

import re
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from producers.files.shapes import shapes
from producers.files.statistics import ColumnStatistics, KeyRole
from producers.files.transposing import as_texts, cells_by_column
from producers.files.uniqueness import HospitalHashes, combined, hashes, is_key
from worker.contract.placeholders import is_placeholder_identifier, placeholder_kind

MOST_VALUES_COUNTED = 200
"""A column with at most so many different values has each counted, unless one has more than 300 characters."""
_ROWS_A_BATCH = 500
# A batch of large rows ends earlier: JSON may have an outline of thousands of points in each row.
_CHARACTERS_A_BATCH = 1_000_000
# For all columns together, so a file of 10,000 columns has short samples: about 20 MB of usual text.
_CELLS_SAMPLED = 100_000
_LARGEST_SAMPLE = 1_000
_SMALLEST_SAMPLE = 20
_CHARACTERS_KEPT = 300
# 40 MB: the rows, what tells their hospitals apart and three columns, of a million rows. A file with more rows
# loses keys of pairs first.
_MOST_HASHES = 5_000_000
_MOST_COLUMNS_IN_PAIRS = 3
_FIRST_CHECK = 4_096
# Short lines without a digit, or of one digit repeated: only these are compared with the table of placeholders.
_PERHAPS_PLACEHOLDER = re.compile(r"^(?=.{1,40}$)(?:[^\d\n]+|[+-]?(\d)\1*(?:\.0+)?)$", re.MULTILINE)
# Missing without a look at the table of placeholders. Zero is not: it may be a number of beds.
_MISSING = frozenset(("", "-", "\\N", "N/A", "NA", "NULL", "None", "NaN", "null", "-999"))
_TEXT = {str, type(None)}


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
        self._columns: dict[str, _Column] = {}
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
            self._columns[name] = _Column(name, role, self._rows, tracked=len(self._row_hashes) == self._rows)
        sample = max(_SMALLEST_SAMPLE, min(_LARGEST_SAMPLE, _CELLS_SAMPLED // max(1, len(self._columns))))
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


class _Column:
    """What is known of one column so far.

    `hashes` has one number for each row, 0 for a missing cell, as long as the column may be unique, or part of a
    key of two columns.
    """

    def __init__(self, name: str, role: KeyRole, rows_before: int, *, tracked: bool) -> None:
        self.name = name
        self.role = role
        self.longest = 0
        # A qualifier's hashes are there for pairs alone.
        self.is_only_in_pairs = role == "qualifier"
        self.hashes: array[int] | None = array("q", bytes(8 * rows_before)) if tracked else None
        self._unique: bool | None = None if not tracked else role != "qualifier"
        self._filled = 0
        self._seen = False
        self._placeholder = ""
        self._values: Counter[str] | None = Counter()
        self._sample: list[object] = []
        self._most = _LARGEST_SAMPLE
        # Every `stride`th filled cell is in the sample; the next is so many cells away.
        self._stride = 1
        self._until_next = 0
        self._missing = _MISSING
        self._no_identifiers = _MISSING

    def take_in(self, cells: Sequence[object], text: Sequence[str], rows: "array[int]") -> None:
        """Add the cells of a batch of rows, as they are and as text; `rows` are the hashes of these rows."""
        filled = self._filled_cells(text)
        self._filled += len(filled)
        if filled:
            self.longest = max(self.longest, len(max(filled, key=len)))
            if self.longest > _CHARACTERS_KEPT:
                self._values = None
            if self._values is not None:
                self._values.update(filled)
                if len(self._values) > MOST_VALUES_COUNTED:
                    self._values = None
            self._extend_sample(cells, text, filled)
        elif not self._placeholder:
            self._placeholder = next(filter(None, text), "")
        if self.hashes is not None:
            self._extend_hashes(self.hashes, text, rows)

    def skip(self, rows: int) -> None:
        """Add so many rows without a cell."""
        if self.hashes is not None:
            self.hashes.frombytes(bytes(8 * rows))

    def check(self, rows: "array[int]") -> None:
        """Look for values that repeat in rows that differ, and keep the hashes only for pairs if there are."""
        if self.hashes is not None and not self.is_only_in_pairs and not is_key(self.hashes, rows):
            self._repeats()

    def forget(self) -> None:
        """Free the memory of the hashes."""
        self.hashes = None
        if self._unique:
            self._unique = None

    def shorten_sample(self, most: int) -> None:
        """Limit the sample to so many cells from now on."""
        self._most = most
        while len(self._sample) > most:
            self._thin_sample()

    def statistics(
        self, all_rows: int, rows: "array[int]", hospitals: "array[int]", partners: "Sequence[_Column]"
    ) -> ColumnStatistics:
        """Return the result; `partners` are the columns that may make a key together with this one."""
        self.check(rows)
        repeats_hospitals = False
        unique_with: list[str] = []
        if self.role == "identifier" and self.is_only_in_pairs and self.hashes is not None:
            repeats_hospitals = any(self.hashes) and is_key(self.hashes, hospitals)
            for other in () if repeats_hospitals else partners:
                # A column that is unique alone needs no partner.
                if other is not self and other.is_only_in_pairs and other.hashes is not None:
                    pair = combined(self.hashes, other.hashes)
                    if any(pair) and is_key(pair, hospitals):
                        unique_with.append(other.name)
        values: Mapping[str, int] = self._values or {}
        # A few may have been counted before they were found to be missing.
        filled = self._filled - sum(count for value, count in values.items() if value in self._missing)
        return ColumnStatistics(
            rows=all_rows,
            filled=filled,
            identifying=filled if self.hashes is None else all_rows - self.hashes.count(0),
            unique=self._unique,
            repeats_hospitals=repeats_hospitals,
            unique_with=tuple(unique_with),
            values={value: count for value, count in values.items() if value not in self._missing},
            placeholder="" if filled else self._placeholder[:_CHARACTERS_KEPT],
            longest=self.longest,
            sample=tuple(self._sample),
        )

    def _repeats(self) -> None:
        self._unique = False
        if self.role == "none":
            self.hashes = None
        else:
            self.is_only_in_pairs = True

    def _filled_cells(self, text: Sequence[str]) -> list[str]:
        filled = [cell for cell in text if cell not in self._missing]
        # Every cell of the first rows is looked up, later only those of the sample.
        candidates = filled[self._until_next :: self._stride] if self._seen else set(filled)
        self._seen = True
        missing = {cell for cell in candidates if _is_missing(cell)}
        if missing:
            self._missing |= missing
            filled = [cell for cell in filled if cell not in missing]
        return filled

    def _extend_sample(self, cells: Sequence[object], text: Sequence[str], filled: Sequence[str]) -> None:
        if self._until_next >= len(filled):
            self._until_next -= len(filled)
            return
        originals: Sequence[object] = filled
        if not {*map(type, cells)} <= _TEXT:
            originals = [cell for cell, shown in zip(cells, text, strict=True) if shown not in self._missing]
        chosen = originals[self._until_next :: self._stride]
        # An outline of a building as JSON may be larger than all the rest of the sample.
        self._sample.extend(
            cell if not isinstance(cell, str) and len(shown) <= _CHARACTERS_KEPT else shown[:_CHARACTERS_KEPT]
            for cell, shown in zip(chosen, filled[self._until_next :: self._stride], strict=True)
        )
        self._until_next += len(chosen) * self._stride - len(filled)
        while len(self._sample) > self._most:
            self._thin_sample()

    def _thin_sample(self) -> None:
        if len(self._sample) % 2:
            self._until_next += self._stride
        self._sample = self._sample[::2]
        self._stride *= 2

    def _extend_hashes(self, known: "array[int]", text: Sequence[str], rows: "array[int]") -> None:
        if self.role == "qualifier":
            # The first of several sites is often numbered 0.
            known.extend(array("q", [0 if cell in self._missing else hash(cell) for cell in text]))
            return
        perhaps = {match[0] for match in _PERHAPS_PLACEHOLDER.finditer("\n".join(text))} - self._no_identifiers
        self._no_identifiers |= {cell for cell in perhaps if is_placeholder_identifier(cell)}
        missing = self._no_identifiers
        batch = array("q", [0 if cell in missing else hash(cell) for cell in text])
        known.extend(batch)
        if not self.is_only_in_pairs and not is_key(batch, rows):
            self._repeats()


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


def _is_missing(cell: str) -> bool:
    # A circle or a cross alone is an answer.
    return placeholder_kind(cell) == "unknown" and "yes or no" not in shapes(cell)
