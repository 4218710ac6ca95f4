"""Totals that lack nothing: a word that nobody knows beside the area of the rows above, and the sums of these rows.

"Cali;ZUSUMMA CALI;975" below two hospitals in Cali. One number alone may be a coincidence, so a row is a total only
if its numbers have several digits together or add many rows, or if its word stands below other areas, too.
"""

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, pairwise
from typing import NamedTuple

from producers.files.columns.names import fields_by_name, identifier_cost, is_serial
from producers.files.rows.unknown_totals import OF_ONE_PLACE, number_in
from producers.files.table import EMPTY_DASHES, RawRow, own_cells
from producers.files.words import fold, names_a_hospital

IS_A_SUM = (
    "may be a total: its numbers are the sums of the rows above, and it has no text but its name and that of its "
    "area; if it is a hospital, correct the row, such as its name, and load the rejected rows"
)
"""Why such a row is not applied."""

_LONGEST_BLOCK = 2_000
_LONGEST_SHOWN = 40
# So many digits, or fewer of many rows, are no coincidence.
_DIGITS, _DIGITS_OF_MANY, _MANY_ROWS = 5, 3, 5
_ROWS_WORTH_A_NOTE = 3
_FEWEST_ADDED, _FEWEST_ALIKE = 2, 2
_LETTER = re.compile(r"[^\W\d_]")
_is_blank = frozenset(("", None, *EMPTY_DASHES)).__contains__


class AreaTotals(NamedTuple):
    """`certain` are the lines of the totals, and `doubtful` the rows that may be totals, each with its name."""

    certain: frozenset[int]
    doubtful: Sequence[tuple[int, str]]

    def notes(self) -> list[str]:
        """Return a note on the rows that may be totals, and are loaded."""
        if not self.doubtful:
            return []
        line, name = self.doubtful[0]
        count = len(self.doubtful)
        are = "1 row is loaded as a hospital" if count == 1 else f"{count:,} rows are loaded as hospitals"
        note = (
            f"{are} and may be a total of the rows above, by numbers and name, first {name[:_LONGEST_SHOWN]!r} "
            f"in line {line}; take out of the list what is no hospital"
        )
        return [note]


def area_totals(rows: Iterable[RawRow]) -> AreaTotals:
    """Return which rows of a list may be totals of the rows above them.

    `rows` are those that may be hospitals, in the order of the list, without a gap.
    """
    found = list(_last_of_areas(rows))
    sums = Counter(it.word for it in found if it.added >= _FEWEST_ADDED)
    others = Counter(it.word for it in found if not it.added)
    larger = Counter(it.word for it in found if it.word and (it.added or it.is_larger))
    repeated = {word for word, count in sums.items() if count >= _FEWEST_ALIKE and 3 * others[word] <= count}
    certain = {it.line for it in found if it.is_sure or (it.added and it.word in repeated)}
    alike = {word for word, count in larger.items() if count >= max(_FEWEST_ALIKE, others[word])}
    doubtful = [it for it in found if it.is_likely or (it.is_larger and it.word in alike)]
    return AreaTotals(frozenset(certain), [(it.line, it.name) for it in doubtful if it.line not in certain])


@dataclass(frozen=True, slots=True)
class _LastOfArea:
    """The last row of an area, if all that it has of its own are a name and numbers.

    `word` is its name without that of the area. `added`: how many rows its numbers add, 0 if they are no sums;
    `digits`: how many digits these sums have together. `is_larger`: its numbers exceed all above.
    """

    line: int
    name: str
    word: str
    added: int
    digits: int
    is_larger: bool
    names_area: bool

    @property
    def is_sure(self) -> bool:
        digits = _DIGITS_OF_MANY if self.added >= _MANY_ROWS else _DIGITS
        return self.added >= _FEWEST_ADDED and self.digits >= digits

    @property
    def is_likely(self) -> bool:
        is_worth_it = self.added >= _ROWS_WORTH_A_NOTE or (self.added >= _FEWEST_ADDED and self.names_area)
        return is_worth_it and self.digits >= _DIGITS_OF_MANY


@dataclass
class _Row:
    line: int
    fields: Mapping[str, object]
    is_sum: bool = False

    @cached_property
    def cells(self) -> Mapping[str, str]:
        return own_cells(self.fields)


def _last_of_areas(rows: Iterable[RawRow]) -> Iterator[_LastOfArea]:
    above: deque[_Row] = deque(maxlen=_LONGEST_BLOCK)
    following: Iterable[_Row | None] = chain((_Row(raw.line, raw.fields) for raw in rows), (None,))
    for row, below in pairwise(following):
        found = None if row is None else _judged(row, above, below)
        if found is not None:
            yield found
        if row is not None:
            row.is_sum = found is not None and found.added > 0
            above.append(row)


def _judged(row: _Row, above: Sequence[_Row], below: _Row | None) -> _LastOfArea | None:
    """Return what a row is if it is the last of an area; None for any other, and for what must be a hospital."""
    # First what is fast: nearly every list has an identifier, a telephone number or a position.
    if not above or any(not _is_blank(cell) and _is_of_hospital(it) for it, cell in row.fields.items()):
        return None
    cells = row.cells
    texts = {column: text for column, text in cells.items() if _LETTER.search(text)}
    # The total of a larger area stands below that of a smaller one, which has the same word.
    hospital = next((it for it in reversed(above) if not it.is_sum), above[-1])
    area = dict(texts.items() & hospital.cells.items())
    own = [text for column, text in texts.items() if column not in area]
    if len(own) != 1 or names_a_hospital(own[0]):
        return None
    if below is not None and (not area or area.items() <= below.cells.items()):
        return None
    block = _block(area, above)
    numbers = {column: number for column in cells if (number := _number(column, cells)) is not None}
    # A year stands in all rows.
    numbers = {column: it for column, it in numbers.items() if not _is_constant(column, it, block)}
    if not numbers:
        return None
    hospitals = [it for it in block if not it.is_sum]
    added, digits = max(_added(numbers, hospitals), _added(numbers, block))
    words = {word for text in area.values() for word in fold(text).split()}
    name = fold(own[0]).split()
    return _LastOfArea(
        row.line,
        own[0],
        " ".join(word for word in name if word not in words and word.isalpha()),
        added,
        digits,
        len(block) > 1 and all(number > _largest(column, block) for column, number in numbers.items()),
        not words.isdisjoint(name),
    )


def _block(area: Mapping[str, str], above: Sequence[_Row]) -> list[_Row]:
    """Return the rows above that are of the area; none if they may not be all."""
    block: list[_Row] = []
    for row in reversed(above):
        if not area.items() <= row.cells.items():
            return block
        block.append(row)
    return [] if len(block) == _LONGEST_BLOCK else block


def _added(numbers: Mapping[str, int], block: Sequence[_Row]) -> tuple[int, int]:
    """Return how many rows the numbers add, and how many digits they have; 0 unless all of them are sums."""
    most, sums = 0, set[int]()
    for column, number in numbers.items():
        cells = [it for row in block if (it := _number(column, row.cells))]
        if sum(cells) != number:
            return 0, 0
        if number:
            most = max(most, len(cells))
            sums.add(number)
    return most, sum(len(str(number // 100)) for number in sums)


def _is_constant(column: str, number: int, block: Sequence[_Row]) -> bool:
    return len(block) >= _FEWEST_ADDED and all(_number(column, row.cells) == number for row in block)


def _largest(column: str, block: Sequence[_Row]) -> int:
    return max((it for row in block if (it := _number(column, row.cells)) is not None), default=0)


def _number(column: str, cells: Mapping[str, str]) -> int | None:
    return number_in(cells[column]) if column in cells and not _counts_rows(column) else None


@lru_cache(maxsize=1_000)
def _is_of_hospital(column: str) -> bool:
    """Return whether a column has what no total has: an identifier, a telephone number, a position."""
    return identifier_cost(column) is not None or not OF_ONE_PLACE.isdisjoint(fields_by_name(column))


@lru_cache(maxsize=1_000)
def _counts_rows(column: str) -> bool:
    return is_serial(column)
