"""Rows of a long list that may be sums of the rows above, kept while it is read once and judged in a second pass.

A list of up to 4,000 rows is kept whole, and `unknown_totals` sees all of it. Of a longer one, only rows with one
text, numbers and an empty cell are remembered: few lists have such rows, and only these are read once more.
"""

from collections import Counter
from collections.abc import Iterable, Set

from producers.files.columns.names import fields_by_name, identifier_cost, is_serial
from producers.files.rows.unknown_totals import OF_ONE_PLACE, Sums, has_one_text, may_count_rows, number_in
from producers.files.table import EMPTY_DASHES, RawRow

_MOST_KEPT = 100_000
# Hardly one row in three is a sum, so what more rows lack is what hospitals lack, too.
_ROWS_A_SUM = 3
_is_blank = frozenset(("", None, *EMPTY_DASHES)).__contains__


class PossibleSums:
    """Give each row with one text, another filled cell and an empty one to `take`; `found` is asked at the end."""

    def __init__(self) -> None:
        # The empty columns of each row, by its line. Few rows differ in them.
        self._empty: dict[int, frozenset[str]] = {}
        self._sets: dict[frozenset[str], frozenset[str]] = {}
        self._filled: set[str] = set()
        self._are_too_many = False

    def take(self, row: RawRow, rows: int) -> None:
        """Take a row that may be a sum. `rows` is the number of all rows so far."""
        if self._are_too_many:
            return
        empty = frozenset(column for column, cell in row.fields.items() if _is_blank(cell))
        self._empty[row.line] = self._sets.setdefault(empty, empty)
        self._filled.update(row.fields.keys() - empty)
        if len(self._empty) > _MOST_KEPT:
            self._drop(rows)

    def _drop(self, rows: int) -> None:
        """Drop the rows that lack nothing but what too many rows lack."""
        counts = Counter(column for empty in self._empty.values() for column in empty)
        usual = {column for column, count in counts.items() if count * _ROWS_A_SUM <= rows}
        self._empty = {line: empty for line, empty in self._empty.items() if not usual.isdisjoint(empty)}
        # Otherwise it would take as long again for every few rows.
        self._are_too_many = len(self._empty) > _MOST_KEPT // 2
        if self._are_too_many:
            self._empty.clear()

    def found(self, rows: Iterable[RawRow], known: Set[int]) -> set[int]:
        """Return the lines of the sums, by all rows of the list that may be hospitals.

        `known` are the lines of rows that are not hospitals for another reason. A sum has a number that adds up its
        column, of the whole list so far or since the last sum, or that counts the rows; and it lacks a cell that
        all others have.
        """
        empty = {line: columns for line, columns in self._empty.items() if line not in known}
        lacking = {column for columns in empty.values() for column in columns}
        summed = [
            column
            for column in self._filled
            if identifier_cost(column) is None
            and not is_serial(column)
            and OF_ONE_PLACE.isdisjoint(fields_by_name(column))
        ]
        found: set[int] = set()
        part, whole = Sums(), Sums()
        above: RawRow | None = None
        may_be, missing = False, set[str]()
        for row in rows if lacking else ():
            lacking -= missing
            if not lacking:
                return set()
            numbers = {column: it for column in summed if (it := number_in(row.fields.get(column))) is not None}
            may_be = row.line in empty and not lacking.isdisjoint(empty[row.line]) and has_one_text(row, above)
            above = row
            count = may_be and may_count_rows(row)
            if may_be and (part.are(numbers, count=count) or whole.are(numbers, count=count)):
                found.add(row.line)
                part, missing = Sums(), set()
                continue
            part.add(numbers)
            whole.add(numbers)
            missing = {column for column in lacking if _is_blank(row.fields.get(column))}
        if not may_be:
            # Otherwise the last row may be a total that is not a sum.
            lacking -= missing
        return {line for line in found if not lacking.isdisjoint(empty[line])}
