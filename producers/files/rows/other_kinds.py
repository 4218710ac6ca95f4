"""Rows that say in a column that they are something else than hospitals: pharmacies, schools, police."""

from collections.abc import Mapping

from producers.files.columns.model import ATTRIBUTE_PREFIX, Columns
from producers.files.statistics import ColumnStatistics
from producers.files.words import fold, word_set

_MOST_LISTED = 5


def notes_on_other_kinds(columns: Columns, statistics: Mapping[str, ColumnStatistics]) -> list[str]:
    """Return a note for each column in which rows are called another kind of place.

    They are loaded all the same: a list of health facilities is meant as a whole, and a pharmacy in it may be one
    of a hospital.
    """
    notes = []
    attributes = [it.columns for it in columns.mapped if it.field.startswith(ATTRIBUTE_PREFIX)]
    for column in (*columns.left_out, *(column for its in attributes for column in its)):
        others = {
            value: count
            for value, count in statistics[column].values.items()
            if not word_set("other_places").isdisjoint((fold(value), fold(value).replace("_", " ")))
        }
        if others:
            most = sorted(others, key=lambda value: -others[value])
            listed = ", ".join(f"{value} ({others[value]:,})" for value in most[:_MOST_LISTED])
            more = ", …" * (len(most) > _MOST_LISTED)
            notes.append(
                f"rows whose {column!r} says that they are no hospitals are loaded as such: "
                f"{sum(others.values()):,}, {listed}{more}; if they are none, take them out of the list"
            )
    return notes
