"""Finds telephone numbers that a list has in parts: area code and number, or 電話1, 電話2 and 電話3."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from producers.files.columns.mapping import option
from producers.files.columns.name_table import name_key, name_table, name_tokens
from producers.files.columns.names import fields_by_name
from producers.files.statistics import ColumnStatistics
from producers.files.values.telephones import is_short_part

_NEARLY_ALL = 0.9
# Without its area code, a number has at most so many digits.
_MOST_DIGITS = 8


def telephone_parts(
    columns: Sequence[str], statistics: Mapping[str, ColumnStatistics], phone: str | None
) -> tuple[str, ...]:
    """Return the columns that a telephone number is joined from; none if its column has whole numbers.

    `phone` is the column with the best name, if there is one. Cells decide: the first part is short in nearly every
    row, and what follows is not a whole number.
    """
    filled = [column for column in columns if column in statistics and statistics[column].filled]
    code = next((it for it in filled if _is_area_code(it, statistics)), None)
    if code is not None and phone is not None and code != phone and _is_rest(statistics[phone]):
        return (code, phone)
    for parts in _numbered(filled):
        known = [statistics[column] for column in parts]
        if phone is not None and phone not in parts:
            continue
        if _holds(known[0], is_short_part) and all(map(_is_rest, known[1:])):
            return tuple(parts)
    return ()


def on_parts(parts: Sequence[str]) -> str:
    """Return a note on a number that is joined from these columns."""
    return (
        f"phone is joined from {', '.join(parts)}, which are parts of one number; "
        f"to read one of them only: {option('phone', parts[-1])}"
    )


def _is_area_code(column: str, statistics: Mapping[str, ColumnStatistics]) -> bool:
    return name_key(column) in _area_codes() and _holds(statistics[column], is_short_part)


@cache
def _area_codes() -> frozenset[str]:
    return frozenset(word.replace(" ", "") for word in name_table().words["area_code"])


def _numbered(columns: Sequence[str]) -> list[list[str]]:
    """Return the columns that have one name of telephones and the numbers from 1."""
    found: dict[tuple[str, ...], dict[int, str]] = {}
    for column in columns:
        tokens = name_tokens(column)
        stem, last = tokens[:-1], "".join(tokens[-1:])
        if stem and last.isdecimal() and "phone" in fields_by_name("".join(stem)):
            found.setdefault(stem, {})[int(last)] = column
        elif "phone" in fields_by_name(column):
            found.setdefault(tokens, {}).setdefault(1, column)
    in_order = [[its[number] for number in range(1, len(its) + 1) if number in its] for its in found.values()]
    return [its for its in in_order if len(its) > 1]


def _is_rest(known: ColumnStatistics) -> bool:
    return _holds(known, lambda value: _is_local_number(str(value)))


def _is_local_number(value: str) -> bool:
    digits = sum(map(str.isdecimal, value))
    return 0 < digits <= _MOST_DIGITS and not value.strip().startswith(("0", "+", "("))


def _holds(known: ColumnStatistics, condition: Callable[[object], bool]) -> bool:
    return known.share_of(condition) >= _NEARLY_ALL
