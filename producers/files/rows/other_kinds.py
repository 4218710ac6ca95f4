"""Rows that say in a column that they are something else than hospitals at work: pharmacies, schools, closed."""

from collections.abc import Mapping

from producers.files.columns.model import ATTRIBUTE_PREFIX, Columns
from producers.files.statistics import ColumnStatistics
from producers.files.words import fold, word_set

_MOST_LISTED = 5
# What a column says, by the list of its words, and what to do about it.
_KINDS = (
    ("other_places", "are no hospitals", "if they are none, take them out of the list"),
    ("closed", "are closed", "if they are no hospitals any more, take them out of the list"),
)


def notes_on_other_kinds(columns: Columns, statistics: Mapping[str, ColumnStatistics]) -> list[str]:
    """Return a note for each column in which rows are called another kind of place, or closed.

    They are loaded all the same: a list of health facilities is meant as a whole, and a pharmacy in it may be one
    of a hospital.
    """
    notes = []
    attributes = [it.columns for it in columns.mapped if it.field.startswith(ATTRIBUTE_PREFIX)]
    for column in (*columns.left_out, *(column for its in attributes for column in its)):
        for words, are, advice in _KINDS:
            found = {
                value: count
                for value, count in statistics[column].values.items()
                if not word_set(words).isdisjoint((fold(value), fold(value).replace("_", " ")))
            }
            if found:
                notes.append(
                    f"rows whose {column!r} says that they {are} are loaded as such: {_listed(found)}; {advice}"
                )
    return notes


def _listed(counts: Mapping[str, int]) -> str:
    most = sorted(counts, key=lambda value: -counts[value])
    listed = ", ".join(f"{value} ({counts[value]:,})" for value in most[:_MOST_LISTED])
    return f"{sum(counts.values()):,}, {listed}" + ", …" * (len(most) > _MOST_LISTED)
