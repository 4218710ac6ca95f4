"""Finds the other parts of an address that a list divides into several columns."""

from collections.abc import Mapping, Sequence

from producers.files.columns.name_table import name_key, name_table, name_tokens
from producers.files.statistics import ColumnStatistics

_MOST_PARTS = 9
# The cost of a name that says by itself that the column has numbers of houses.
_SURELY = 10
_LONGEST_NUMBER = 12
_ENOUGH_TO_REPEAT = 50
_MOSTLY_SHORT = 0.9
# The most streets that have a number themselves, and the most house numbers that have none ("s/n"), of the filled
# cells; the fewest rows that a column of house numbers fills.
_MOST_NUMBERED_STREETS, _MOST_WITHOUT_NUMBER, _FEWEST_FILLED = 0.25, 0.4, 0.2


def numbered_parts(column: str, unused: Sequence[str]) -> tuple[str, ...]:
    """Return the column and those that continue it: "Address 1", "Address 2", or "address", "address2".

    The numbers follow one another. A column that is numbered otherwise, or not continued, is returned alone.
    """
    tokens = name_tokens(column)
    numbered = bool(tokens) and tokens[-1].isdigit()
    if numbered and int(tokens[-1]) != 1:
        return (column,)
    base = tokens[:-1] if numbered else tokens
    by_number = {
        int(found[-1]): other
        for other in reversed(unused)
        if (found := name_tokens(other))[:-1] == base and found[-1].isdecimal() and len(found[-1]) == 1
    }
    parts = [column]
    for number in range(2, _MOST_PARTS + 1):
        if number not in by_number:
            break
        parts.append(by_number[number])
    return tuple(parts)


def with_house_number(
    street: str, columns: Sequence[str], unused: Sequence[str], statistics: Mapping[str, ColumnStatistics]
) -> tuple[str, ...]:
    """Return the street's column and that of the house numbers, in the file's order, or the street's column alone.

    The names and the contents must agree: streets without a number, and short cells with one. A column that is
    called "number" must be beside the street's.
    """
    known = statistics.get(street)
    if known is None or known.share_of(_has_digit) > _MOST_NUMBERED_STREETS:
        return (street,)
    house_numbers = name_table().house_numbers
    at = columns.index(street)
    for column in sorted(unused, key=lambda it: (abs(columns.index(it) - at), columns.index(it) < at)):
        cost = house_numbers.get(name_key(column))
        beside = abs(columns.index(column) - at) == 1
        if cost is not None and (cost == _SURELY or beside) and _has_house_numbers(statistics[column]):
            return (street, column) if columns.index(column) > at else (column, street)
    return (street,)


def _has_house_numbers(known: ColumnStatistics) -> bool:
    return (
        known.filled > 0
        and known.share_filled >= _FEWEST_FILLED
        # Two hospitals have the same house number sooner or later, but never the same identifier.
        and not (known.unique and known.filled >= _ENOUGH_TO_REPEAT)
        and known.share_of(_is_short) >= _MOSTLY_SHORT
        and known.share_of(_has_digit) >= 1 - _MOST_WITHOUT_NUMBER
    )


def _is_short(cell: object) -> bool:
    return len(str(cell)) <= _LONGEST_NUMBER


def _has_digit(cell: object) -> bool:
    return any(map(str.isdecimal, str(cell)))
