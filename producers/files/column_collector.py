"""Gathers the statistics of one column, in bounded memory."""

import re
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence

from producers.files.shapes import shapes
from producers.files.statistics import ColumnStatistics, KeyRole
from producers.files.uniqueness import combined, is_key
from producers.files.values.dittos import dittos
from worker.contract.placeholders import is_placeholder_identifier, placeholder_kind

LARGEST_SAMPLE = 1_000
"""A sample has at most so many cells, and fewer in a file of many columns."""
MOST_VALUES_COUNTED = 200
"""A column with at most so many different values has each counted, unless one has more than 300 characters."""
_CHARACTERS_KEPT = 300
# Short lines without a digit, or of one digit repeated: only these are compared with the table of placeholders.
_PERHAPS_PLACEHOLDER = re.compile(r"^(?=.{1,40}$)(?:[^\d\n]+|[+-]?(\d)\1*(?:\.0+)?)$", re.MULTILINE)
# Missing without a look at the table of placeholders. Zero is not: it may be a number of beds.
_MISSING = frozenset(("", "-", "\\N", "N/A", "NA", "NULL", "None", "NaN", "null", "-999"))
# The share of rows that a partner may leave without the key of two columns.
_MOST_LOST = 0.05
_TEXT = {str, type(None)}


class ColumnCollector:
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
        self._has_dittos = False
        self._filled = 0
        self._seen = False
        self._placeholder = ""
        self._values: Counter[str] | None = Counter()
        self._sample: list[object] = []
        self._most = LARGEST_SAMPLE
        # Every `stride`th filled cell is in the sample; the next is so many cells away.
        self._stride = 1
        self._until_next = 0
        self._missing = _MISSING
        self._words: set[str] = set()
        self._no_identifiers = _MISSING

    def take_in(self, cells: Sequence[object], text: Sequence[str], rows: "array[int]") -> None:
        """Add the cells of a batch of rows, as they are and as text; `rows` are the hashes of these rows."""
        # This looks at every cell of a file: the set does it in a hundredth of the time that the row takes.
        self._has_dittos = self._has_dittos or not dittos().isdisjoint(text)
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
        self, all_rows: int, rows: "array[int]", hospitals: "array[int]", partners: "Sequence[ColumnCollector]"
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
                    # A partner that is mostly empty would leave most rows without an identifier.
                    lost = pair.count(0) - self.hashes.count(0)
                    if lost <= _MOST_LOST * len(pair) and any(pair) and is_key(pair, hospitals):
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
            missing_words=frozenset(self._words - {""}),
            longest=self.longest,
            has_dittos=self._has_dittos,
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
        if len(filled) < len(text):
            self._words |= self._missing.intersection(text)
        # Every cell of the first rows is looked up, later only those of the sample.
        candidates = filled[self._until_next :: self._stride] if self._seen else set(filled)
        self._seen = True
        missing = {cell for cell in candidates if _is_missing(cell)}
        if missing:
            self._missing |= missing
            self._words |= missing
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


def _is_missing(cell: str) -> bool:
    # A circle or a cross alone is an answer.
    return placeholder_kind(cell) == "unknown" and "yes or no" not in shapes(cell)
