"""What the cells of a column are like over a whole file."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from producers.files.shapes import Shape, shapes

KeyRole = Literal["identifier", "qualifier", "none"]
"""What a column may be by its name: an identifier, the other part of a key of two columns, or neither."""


@dataclass(frozen=True, kw_only=True)
class ColumnStatistics:
    """One column over all rows of a file.

    `filled`: rows with a cell that is neither empty nor one of the commonest words for "not known". `identifying`:
    the filled cells that may be identifiers, which zero and other placeholders may not. `unique`: whether no two
    rows that differ have the same identifying cell; None if there were too many rows to know.
    `repeats_hospitals`: it is not unique, but rows with the same cell agree in the columns that tell hospitals
    apart. `unique_with`: the columns together with which it would be unique, if it is neither. `values`: how often
    each value occurs, if there are few; else empty. `placeholder`: the first word for "not known", if the column
    has nothing else. `missing_words`: the words for "not known" that were found. `longest`: characters of the
    longest cell. `has_dittos`: a cell stands for the one above. `sample`: filled cells from the whole file, all of
    them if `sample_is_complete`; text is stripped and cut after 300 characters.
    """

    rows: int
    filled: int
    identifying: int = 0
    unique: bool | None = None
    repeats_hospitals: bool = False
    unique_with: tuple[str, ...] = ()
    values: Mapping[str, int] = field(default_factory=dict)
    placeholder: str = ""
    missing_words: frozenset[str] = frozenset()
    longest: int = 0
    has_dittos: bool = False
    sample: tuple[object, ...] = ()

    @property
    def sample_is_complete(self) -> bool:
        """Whether the sample contains every filled cell."""
        return len(self.sample) == self.filled

    @property
    def share_filled(self) -> float:
        """The part of the rows, from 0 to 1, that have a cell."""
        return self.filled / self.rows if self.rows else 0.0

    @cached_property
    def looks_like(self) -> Mapping[Shape, int]:
        """How many of the known cells look like a number, a date and so on; a cell may look like several."""
        counts: Counter[Shape] = Counter()
        for value, count in self.known_cells:
            for shape in shapes(value):
                counts[shape] += count
        return counts

    @cached_property
    def known_cells(self) -> Sequence[tuple[object, int]]:
        """Cells and how often each occurs: all of the column if there are few different ones, else the sample."""
        if self.values and not self.sample_is_complete:
            return list(self.values.items())
        return [(value, 1) for value in self.sample]

    @property
    def knows_all(self) -> bool:
        """Whether `known_cells` are all cells of the column."""
        return bool(self.values) or self.sample_is_complete

    def share(self, shape: Shape) -> float:
        """Return the part of the known cells, from 0 to 1, that looks like a number, a date and so on."""
        return self.part(self.looks_like.get(shape, 0))

    def share_of(self, holds: Callable[[object], bool]) -> float:
        """Return the part of the known cells, from 0 to 1, for which a condition holds."""
        return self.part(sum(count for value, count in self.known_cells if holds(value)))

    def without(self, unwanted: Callable[[object], bool]) -> "ColumnStatistics":
        """Return the statistics as if the cells for which a condition holds were missing."""
        sample = tuple(value for value in self.sample if not unwanted(value))
        values = {value: count for value, count in self.values.items() if not unwanted(value)}
        if self.sample_is_complete:
            filled = len(sample)
        elif self.values:
            filled = sum(values.values())
        else:
            filled = max(len(sample), round(self.filled * len(sample) / len(self.sample)))
        return replace(self, filled=filled, sample=sample, values=values)

    def part(self, count: int) -> float:
        """Return a number of known cells as a part of them, from 0 to 1."""
        total = self.filled if self.knows_all else len(self.sample)
        return count / total if total else 0.0

    @cached_property
    def share_distinct(self) -> float:
        """The number of different values by that of cells, from 0 to 1: of the sample if not all are counted."""
        if self.values:
            return len(self.values) / self.filled
        return len({str(value) for value in self.sample}) / len(self.sample) if self.sample else 0.0

    @property
    def first(self) -> str:
        """The first filled cell, for messages; empty if there is none."""
        return str(self.sample[0]) if self.sample else ""
