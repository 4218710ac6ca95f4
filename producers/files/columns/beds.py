"""Notes on columns that may have the beds: if none is read, and if one has larger numbers than that read."""

from collections import Counter
from collections.abc import Iterable, Mapping

from producers.files.columns.content import contradiction
from producers.files.columns.mapping import option
from producers.files.columns.name_table import name_key, name_table, name_tokens
from producers.files.statistics import ColumnStatistics
from producers.files.values import UnreadableCell
from producers.files.values.numbers import WholeNumberReader

_MOST_SHOWN = 5
_FIRST_WITHOUT_SPACES = "\u0e00"
# A column of a few large hospitals is not a total.
_ABOUT_AS_FULL = 0.9


def on_unread_beds(columns: Iterable[str], statistics: Mapping[str, ColumnStatistics]) -> list[str]:
    """Return a note if numbers stand in columns whose names have a word for beds: "ICU beds", "Beds 2023"."""
    found = _with_beds(columns, statistics)
    if not found:
        return []
    more = ", …" * (len(found) > _MOST_SHOWN)
    note = (
        "beds are not read; columns that may have them, or a part of them: "
        f"{', '.join(found[:_MOST_SHOWN])}{more}; to read one: {option('beds', found[0])}"
    )
    return [note]


def on_larger_beds(read: str, columns: Iterable[str], statistics: Mapping[str, ColumnStatistics]) -> list[str]:
    """Return a note if another column of beds has larger numbers, so that the one that is read may be a part."""
    if read not in statistics:
        return []
    mean = _mean(statistics[read])
    fewest = _ABOUT_AS_FULL * statistics[read].filled
    larger = {
        column: its_mean
        for column in _with_beds(columns, statistics)
        if statistics[column].filled >= fewest and (its_mean := _mean(statistics[column])) > mean
    }
    if not larger:
        return []
    column = max(larger, key=lambda it: larger[it])
    note = (
        f"beds are read from {read}; the numbers of {column} are larger: if those are all beds, and these a part: "
        + option("beds", column)
    )
    return [note]


def _with_beds(columns: Iterable[str], statistics: Mapping[str, ColumnStatistics]) -> list[str]:
    return [
        column
        for column in columns
        if column in statistics
        and statistics[column].filled
        and _mentions_beds(column)
        and contradiction("beds", statistics[column]) is None
    ]


def _mentions_beds(column: str) -> bool:
    words = name_table().words["bed"]
    if not words.isdisjoint(name_tokens(column)):
        return True
    key = name_key(column)
    return any(word in key for word in words if word >= _FIRST_WITHOUT_SPACES)


def _mean(known: ColumnStatistics) -> float:
    numbers = Counter[int]()
    for cell, count in known.known_cells:
        try:
            number = WholeNumberReader("").read((cell,))
        except UnreadableCell:
            continue
        if isinstance(number, int):
            numbers[number] += count
    return sum(number * count for number, count in numbers.items()) / max(1, numbers.total())
