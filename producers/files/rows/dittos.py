"""Fills ditto marks in: a cell that says "idem" or 〃 has the value of the row above."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from producers.files.columns.model import Mapped
from producers.files.statistics import ColumnStatistics
from producers.files.table import RawRow
from producers.files.values.dittos import dittos, surely_dittos

_FIELDS = frozenset(("country", "state", "county", "city", "postal_code", "address", "ownership"))


class Dittos:
    """The columns of places, addresses and owners that have ditto marks; most lists have none."""

    def __init__(self, mapped: Iterable[Mapped], statistics: Mapping[str, ColumnStatistics]) -> None:
        self._marks = {
            column: surely_dittos() if it.field == "state" else dittos()
            for it in mapped
            if it.field in _FIELDS
            for column in it.columns
            if column in statistics and statistics[column].has_dittos
        }
        self._counts: Counter[str] = Counter()
        self._first: dict[str, int] = {}

    def filled_in(self, rows: Iterator[RawRow]) -> Iterator[RawRow]:
        """Yield the rows, all of a file and in order, with the values that their ditto marks stand for."""
        return self._filled_in(rows) if self._marks else rows

    def are_in(self, raw: RawRow) -> bool:
        """Return whether a row has a ditto mark, so that it says little without the row above."""
        return any(raw.fields.get(column) in marks for column, marks in self._marks.items())

    def notes(self) -> list[str]:
        """Return how many marks were filled in by the latest pass, by column."""
        return [
            f"{column}: {count:,} ditto {'mark is' if count == 1 else 'marks are'} read as the value of the row "
            f"above (first in line {self._first[column]})"
            for column, count in self._counts.items()
        ]

    def _filled_in(self, rows: Iterator[RawRow]) -> Iterator[RawRow]:
        self._counts.clear()
        self._first.clear()
        above: dict[str, object] = {}
        for raw in rows:
            # A row that is not a hospital is not part of the column.
            if raw.problem is None:
                for column, marks in self._marks.items():
                    cell = raw.fields.get(column)
                    if not isinstance(cell, str) or cell.strip() not in marks:
                        above[column] = cell
                    elif above.get(column):
                        raw.fields = {**raw.fields, column: above[column]}
                        self._counts[column] += 1
                        self._first.setdefault(column, raw.line)
            yield raw
