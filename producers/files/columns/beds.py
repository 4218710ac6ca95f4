"""A note on columns that may have the beds, or a part of them, if none is read as the beds of a hospital."""

from collections.abc import Iterable, Mapping

from producers.files.columns.content import contradiction
from producers.files.columns.mapping import option
from producers.files.columns.name_table import name_key, name_table, name_tokens
from producers.files.statistics import ColumnStatistics

_MOST_SHOWN = 5
_FIRST_WITHOUT_SPACES = "\u0e00"


def on_unread_beds(columns: Iterable[str], statistics: Mapping[str, ColumnStatistics]) -> list[str]:
    """Return a note if numbers stand in columns whose names have a word for beds: "ICU beds", "Beds, of which"."""
    found = [
        column
        for column in columns
        if column in statistics
        and statistics[column].filled
        and _mentions_beds(column)
        and contradiction("beds", statistics[column]) is None
    ]
    if not found:
        return []
    more = ", …" * (len(found) > _MOST_SHOWN)
    note = (
        f"beds are not read; columns that may have them, or a part of them: {', '.join(found[:_MOST_SHOWN])}{more}; "
        f"to read one: {option('beds', found[0])}"
    )
    return [note]


def _mentions_beds(column: str) -> bool:
    words = name_table().words["bed"]
    if not words.isdisjoint(name_tokens(column)):
        return True
    key = name_key(column)
    return any(word in key for word in words if word >= _FIRST_WITHOUT_SPACES)
