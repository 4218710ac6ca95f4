"""What can be said of the columns of a list without names of columns, by their content alone."""

import re
from collections.abc import Mapping, Sequence

from producers.files.statistics import ColumnStatistics

_NEARLY_ALL = 0.9
_LONGEST_EXAMPLE = 30
_MOST_SHOWN = 30
# Those of the United Kingdom can be nothing else; those of other countries are numbers like many.
_POSTAL_CODE = re.compile(r"[A-Z]{1,2}\d[A-Z\d]? ?\d[ABD-HJLNP-UW-Z]{2}", re.IGNORECASE)
_TELEPHONE = re.compile(r"(?=(?:\D*\d){9,14}\D*$)\(?(?:\+|0[1-9])\d*\)?(?:[ \u2013/-]\(?\d+\)?)+")
_FORMS = {"postal_code": _POSTAL_CODE, "phone": _TELEPHONE}


def has_no_header(columns: Sequence[str]) -> bool:
    """Return whether the columns have numbers only."""
    return bool(columns) and all(column.isdigit() for column in columns)


def certain_fields(free: Sequence[str], statistics: Mapping[str, ColumnStatistics]) -> dict[str, str]:
    """Return the columns whose content can only be one field: the only one of British postal codes, of telephones.

    Of two such columns one is that of somebody else, or a fax.
    """
    found: dict[str, str] = {}
    for field, form in _FORMS.items():
        columns = [column for column in free if column in statistics and _has_form(statistics[column], form)]
        if len(columns) == 1:
            found[field] = columns[0]
    return found


def on_unread(unread: Sequence[str], statistics: Mapping[str, ColumnStatistics]) -> list[str]:
    """Return a note on the columns that are not read and not empty, with the first value of each."""
    filled = [column for column in unread if column in statistics and statistics[column].filled]
    if not filled:
        return []
    shown = with_first_values(filled, statistics)
    return [f"not read, with the first value of each: {shown}; to read one: --map FIELD=NUMBER"]


def _has_form(known: ColumnStatistics, form: re.Pattern[str]) -> bool:
    matches = known.share_of(lambda value: form.fullmatch(str(value).strip()) is not None)
    return known.filled > 1 and matches >= _NEARLY_ALL


def with_first_values(columns: Sequence[str], statistics: Mapping[str, ColumnStatistics]) -> str:
    """Return the columns with the first value of each, as text for a message."""
    shown = [
        f"{column} ({' '.join(statistics[column].first.split())[:_LONGEST_EXAMPLE]})"
        for column in columns
        if column in statistics
    ]
    more = f" and {len(shown) - _MOST_SHOWN} more" if len(shown) > _MOST_SHOWN else ""
    return ", ".join(shown[:_MOST_SHOWN]) + more
