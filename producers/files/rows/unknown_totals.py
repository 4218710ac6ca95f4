"""Totals whose word is in no list of words: "Zusumma" beside a number.

Their numbers are the sums of the hospitals above, or they stand at the end and lack what all hospitals have.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from producers.files.columns.names import fields_by_name, identifier_cost, is_serial
from producers.files.table import RawRow, own_cells
from producers.files.words import names_a_hospital

MAY_BE_A_TOTAL = (
    "may be a total: it has no text but its name, and lacks what other rows have; "
    "if it is a hospital, fill in the other cells of the row, such as its city, and load the rejected rows"
)
"""Why such a row is not applied."""

_FEWEST_ADDED, _FEWEST_COUNTED, _FEWEST_OTHERS = 2, 3, 3
_TWO_COLUMNS = 2
OF_ONE_PLACE = frozenset(("phone", "postal_code", "latitude", "longitude", "location"))
"""Fields that no sum has."""
_LETTER, _DIGIT = re.compile(r"[^\W\d_]"), re.compile(r"\d")
_NUMBER = re.compile(r"(\d{1,15})(?:[.,](\d{1,2}))?")
_GROUPED = re.compile(r"\d{1,3}(?:[ \u00a0\u202f'.,]\d{3}){1,5}")


def unknown_totals(rows: Sequence[RawRow], last: RawRow, *, are_all: bool) -> set[int]:
    """Return the lines of the rows that may be totals.

    `rows` may be hospitals by their words, and come in the order of the list: all of them if `are_all`, otherwise a
    sample. `last` is the last one of the list.
    """
    # Only all rows show what their sum is.
    totals = _lines_of_sums(rows) if are_all else set()
    if last.line not in totals and has_one_text(last):
        others = [own_cells(row.fields) for row in rows if row.line not in totals and row.line != last.line]
        if len(others) >= _FEWEST_OTHERS and _lacks_what_all_have(own_cells(last.fields), others):
            totals.add(last.line)
    return totals


def _lines_of_sums(rows: Sequence[RawRow]) -> set[int]:
    """Return the lines of rows that add up those above them, or say how many these are.

    Sums may be of the whole list, or of the rows since the last sum. They lack a cell that all other rows have: a
    hospital may have as many beds as the two above it.
    """
    candidates = {row.line for above, row in zip([None, *rows], rows, strict=False) if has_one_text(row, above)}
    if not candidates:
        return set()
    columns = dict.fromkeys(column for row in rows for column in row.fields)
    summed = [it for it in columns if identifier_cost(it) is None and not is_serial(it)]
    found: set[int] = set()
    part, whole = Sums(), Sums()
    for row in rows:
        numbers = {it: number for it in summed if (number := number_in(row.fields.get(it))) is not None}
        may_count = row.line in candidates and may_count_rows(row)
        if row.line in candidates and (part.are(numbers, count=may_count) or whole.are(numbers, count=may_count)):
            found.add(row.line)
            part = Sums()
            continue
        part.add(numbers)
        whole.add(numbers)
    # The last row may be a total that is not a sum.
    others = [
        own_cells(row.fields)
        for row in rows
        if row.line not in found and not (row is rows[-1] and row.line in candidates)
    ]
    return {row.line for row in rows if row.line in found and _lacking(own_cells(row.fields), others)}


def _lacks_what_all_have(own: Mapping[str, str], others: Sequence[Mapping[str, str]]) -> bool:
    """Return whether a row at the end of a list lacks the identifier that all others have, or exceeds them all."""
    if any(names_a_hospital(text) or not OF_ONE_PLACE.isdisjoint(fields_by_name(it)) for it, text in own.items()):
        return False
    columns = {column: [its[column] for its in others] for column in _lacking(own, others)}
    if any(_identifies(column, cells) for column, cells in columns.items()):
        return True
    has_text = any(all(map(_LETTER.search, cells)) for cells in columns.values())
    return has_text and any(_exceeds(column, text, others) for column, text in own.items())


def has_one_text(row: RawRow, above: RawRow | None = None) -> bool:
    """Return whether a row has one text, and besides numbers, or nothing in a table of two columns.

    A text that the row above has as well is not its own: it is the area that a sum is of. In wider tables a name
    alone is judged by all such rows.
    """
    own = own_cells(row.fields)
    if not (1 < len(own) < len(row.fields) or len(row.fields) == _TWO_COLUMNS):
        return False
    texts = {column: text for column, text in own.items() if _LETTER.search(text)}
    if len(texts) > 1 and above is not None:
        texts = dict(texts.items() - own_cells(above.fields).items())
    return len(texts) == 1


def may_count_rows(row: RawRow) -> bool:
    """Return whether a number of a row may be how many rows there are above it, not a hospital's own number."""
    return has_one_text(row) and not any(map(names_a_hospital, own_cells(row.fields).values()))


def _lacking(own: Mapping[str, str], others: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the columns that a row has not, and all others have."""
    first = others[0] if others else {}
    return [column for column in first if column not in own and all(column in its for its in others)]


class Sums:
    """The sums of some rows by column, and how many numbers and rows these are."""

    def __init__(self) -> None:
        self._sums: Counter[str] = Counter()
        self._added: Counter[str] = Counter()
        self._rows = 0

    def add(self, numbers: Mapping[str, int]) -> None:
        """Take one row."""
        self._rows += 1
        for column, number in numbers.items():
            self._sums[column] += number
            self._added[column] += number > 0

    def are(self, numbers: Mapping[str, int], *, count: bool) -> bool:
        """Return whether one of these numbers is the sum of its column, or, if `count`, the number of the rows."""
        return any(
            (self._added[column] >= _FEWEST_ADDED and number == self._sums[column])
            or (count and self._rows >= _FEWEST_COUNTED and number == 100 * self._rows)
            for column, number in numbers.items()
        )


def _identifies(column: str, cells: Sequence[str]) -> bool:
    if len(set(cells)) < len(cells):
        return False
    if identifier_cost(column) is not None or is_serial(column):
        return True
    return not fields_by_name(column) and all(map(_DIGIT.search, cells))


def _exceeds(column: str, text: str, others: Sequence[Mapping[str, str]]) -> bool:
    """Return whether a cell is a number that is larger than all others of its column."""
    number = number_in(text)
    numbers = [it for other in others if (it := number_in(other.get(column))) is not None]
    return number is not None and len(numbers) >= _FEWEST_OTHERS and number > max(numbers)


def number_in(cell: object) -> int | None:
    """Return the number that a cell is, in hundredths."""
    text = str(cell).strip()
    if _GROUPED.fullmatch(text):
        return 100 * int("".join(filter(str.isdigit, text)))
    number = _NUMBER.fullmatch(text)
    return None if number is None else 100 * int(number[1]) + int((number[2] or "0").ljust(2, "0"))
