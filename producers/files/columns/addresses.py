"""Finds the other parts of an address that a list divides into several columns."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from producers.files.columns.mapping import option
from producers.files.columns.name_table import name_table, name_tokens
from producers.files.columns.readings import readings
from producers.files.statistics import ColumnStatistics
from producers.files.words import fold

_MOST_PARTS = 9
# The cost of a name that says by itself which part of an address the column has.
_SURELY = 10
# From here on, a name says whose address it is: that of a provider, not of its hospital.
_OF_OTHERS = 20
_LONGEST_NUMBER, _LONGEST_SUFFIX, _LONGEST_TYPE = 12, 8, 20
_ENOUGH_TO_REPEAT = 50
_MOSTLY_SHORT = 0.9
# The most streets that have a number or a type themselves, and the most house numbers that have none, of the filled
# cells; the fewest rows that a column fills whose name may mean another number.
_MOST_COMPLETE_STREETS, _MOST_WITHOUT_NUMBER, _FEWEST_FILLED = 0.25, 0.4, 0.2
# "S/N" and "bb" say that a house has no number.
_LONGEST_WORD_FOR_NONE = 2


def numbered_parts(column: str, unused: Sequence[str], empty: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the column and those that continue it: "Address 1", "Address 2", or "address", "address2".

    The numbers follow one another, but for those of columns that are `empty`. A column that is numbered otherwise,
    or not continued, is returned alone.
    """
    tokens = name_tokens(column)
    numbered = bool(tokens) and tokens[-1].isdigit()
    if numbered and int(tokens[-1]) != 1:
        return (column,)
    base = tokens[:-1] if numbered else tokens
    by_number = _by_number(base, unused)
    passed_over = _by_number(base, empty)
    parts = [column]
    for number in range(2, _MOST_PARTS + 1):
        if number in by_number:
            parts.append(by_number[number])
        elif number not in passed_over:
            break
    return tuple(parts)


def _by_number(base: tuple[str, ...], columns: Sequence[str]) -> dict[int, str]:
    return {
        int(found[-1]): column
        for column in reversed(columns)
        if (found := name_tokens(column))[:-1] == base and found[-1].isdecimal() and len(found[-1]) == 1
    }


class _Part(NamedTuple):
    column: str
    at: int
    cost: int


class AddressParts:
    """The columns that make up the address, found by their names and as far as the contents agree.

    `columns` are in the order in which they are joined. `notes` say which columns are called house numbers and are
    not joined.
    """

    def __init__(
        self, street: str, columns: Sequence[str], unused: Sequence[str], statistics: Mapping[str, ColumnStatistics]
    ) -> None:
        self._all = columns
        self._unused = unused
        self._statistics = statistics
        self._at = columns.index(street)
        self.notes: list[str] = []
        empty = [column for column in columns if column in statistics and not statistics[column].filled]
        self._lines = numbered_parts(street, unused, empty)
        numbers = self._house_number()
        streets = self._with_type()
        before = bool(numbers) and columns.index(numbers[0]) < self._at
        self.columns = (*numbers, *streets) if before else (*streets, *numbers)

    def _with_type(self) -> tuple[str, ...]:
        """Return the columns of the street, with its type if that has a column: "RUE" beside "DE PARIS"."""
        street = self._statistics.get(self._lines[0])
        for part in self._named(name_table().street_types):
            if street is None or not _has_types(self._statistics[part.column], street):
                continue
            # Languages that write the type behind have it behind in their lists.
            behind = part.cost > _SURELY and part.at > self._at
            return (*self._lines, part.column) if behind else (part.column, *self._lines)
        return self._lines

    def _house_number(self) -> tuple[str, ...]:
        for part in self._named(name_table().house_numbers):
            reason = self._against(part)
            if reason is None:
                return (part.column, *self._suffixes(part))
            if part.cost == _SURELY:
                joined = option("address", f"{self._lines[0]} + {part.column}")
                self.notes.append(
                    f"{part.column} is not joined to the address, because {reason}; to join it: {joined}"
                )
        return ()

    def _against(self, part: _Part) -> str | None:
        """Return why a column is not joined as the house number, or None."""
        streets = [self._statistics[line] for line in self._lines if line in self._statistics]
        if not streets or any(known.share_of(_has_digit) > _MOST_COMPLETE_STREETS for known in streets):
            return f"{self._lines[0]} has numbers itself"
        known = self._statistics[part.column]
        # Two hospitals have the same house number sooner or later, but never the same identifier.
        is_identifier = known.unique and known.filled >= _ENOUGH_TO_REPEAT
        if part.cost > _SURELY and (is_identifier or known.share_filled < _FEWEST_FILLED):
            return "it may be another number"
        if (
            known.share_of(lambda cell: len(str(cell)) <= _LONGEST_NUMBER) < _MOSTLY_SHORT
            or known.share_of(_is_house_number) < 1 - _MOST_WITHOUT_NUMBER
        ):
            return "its cells are not house numbers"
        return None

    def _suffixes(self, number: _Part) -> Iterator[str]:
        """Yield the columns of what belongs to the number, such as the A of 1A, in the file's order."""
        beside = {number.at - 1, number.at + 1}
        for part in sorted(self._named(name_table().house_suffixes, everywhere=True), key=lambda part: part.at):
            short = self._statistics[part.column].share_of(lambda cell: len(str(cell)) <= _LONGEST_SUFFIX)
            if short >= _MOSTLY_SHORT and (part.cost == _SURELY or part.at in beside):
                beside.add(part.at + 1)
                yield part.column

    def _named(self, names: Mapping[str, int], *, everywhere: bool = False) -> list[_Part]:
        """Return the unused columns that are called a part, the nearest to the street first.

        A column whose name may mean something else must be beside the street, unless `everywhere`.
        """
        parts = []
        for column in self._unused:
            at = self._all.index(column)
            cost = _cost(column, names)
            if cost == _SURELY or (cost is not None and (everywhere or abs(at - self._at) == 1)):
                parts.append(_Part(column, at, cost))
        return sorted(parts, key=lambda part: (abs(part.at - self._at), part.at < self._at))


def _cost(column: str, names: Mapping[str, int]) -> int | None:
    """Return how well a name fits a part of an address, or None."""
    # What is left of "phone number of the hospital" would be the number of a house.
    costs = [
        cost
        for reading in readings(column)
        if (cost := names.get(reading.key)) is not None
        and (reading.cost == 0 or (cost == _SURELY and reading.cost < _OF_OTHERS and not reading.fragment))
    ]
    return min(costs, default=None)


def _has_types(known: ColumnStatistics, street: ColumnStatistics) -> bool:
    types = tuple(fold(str(value)) for value, _ in known.known_cells)
    if not known.filled or known.share_of(_is_type) < _MOSTLY_SHORT:
        return False
    # "RUE DE PARIS" and "R" for "RUE" need no type in front.
    longer = tuple({it for it in types if len(it) > 1})
    return street.share_of(lambda cell: fold(str(cell)).startswith(longer)) <= _MOST_COMPLETE_STREETS


def _is_type(cell: object) -> bool:
    return len(str(cell)) <= _LONGEST_TYPE and not _has_digit(cell)


def _is_house_number(cell: object) -> bool:
    return _has_digit(cell) or len(fold(str(cell)).replace(" ", "")) <= _LONGEST_WORD_FOR_NONE


def _has_digit(cell: object) -> bool:
    return any(map(str.isdecimal, str(cell)))
