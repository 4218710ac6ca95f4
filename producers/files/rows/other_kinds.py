"""Rows that say in a column that they are something else than hospitals at work: pharmacies, schools, closed."""

import re
from collections.abc import Mapping

from producers.files.columns.model import ATTRIBUTE_PREFIX, Columns
from producers.files.columns.name_table import name_tokens
from producers.files.statistics import ColumnStatistics
from producers.files.values import UnreadableCell
from producers.files.values.yes_no import YesNoReader, yes_no_style
from producers.files.words import fold, names_a_hospital, names_another_place, word_set

_MOST_LISTED, _LONGEST_SHOWN = 5, 40
_SELDOM, _MOST, _NEARLY_ALL = 0.1, 0.5, 0.9
_NO_END = re.compile(r"9999|2999|20[5-9][0-9]|2100")
# What a column says, by the list of its words, and what to do about it.
_KINDS = (
    ("other_places", "are not hospitals", "if they are none, take them out of the list"),
    ("closed", "are closed or not open yet", "if they are not hospitals at work, take them out of the list"),
)


def notes_on_other_kinds(columns: Columns, statistics: Mapping[str, ColumnStatistics]) -> list[str]:
    """Return a note for each column in which rows are called another kind of place, or closed.

    They are loaded all the same: a list of health facilities is meant as a whole, and a pharmacy in it may be one
    of a hospital.
    """
    notes = []
    for column in _not_fields(columns):
        if fold(column) in word_set("floors"):
            continue
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


def notes_on_villages(columns: Columns, statistics: Mapping[str, ColumnStatistics]) -> list[str]:
    """Return a note if a column says that nearly all rows are villages or towns, and no name is a hospital's.

    Lists of hospitals have such columns as well, of where these are. So the names decide.
    """
    names = [statistics[column] for column in columns.columns_of("hospital_name") if column in statistics]
    if not names or any(it.share_of(lambda value: names_a_hospital(str(value))) > _SELDOM for it in names):
        return []
    return [
        f"{column!r} says that the rows are villages or towns (first: {statistics[column].first}); they are loaded "
        "as hospitals: if they are none, get the list of the hospitals themselves"
        for column in _not_fields(columns)
        if statistics[column].values
        and statistics[column].filled >= _NEARLY_ALL * names[0].filled
        and statistics[column].share_of(lambda value: fold(str(value)) in word_set("villages")) >= _NEARLY_ALL
    ]


def notes_on_names_of_others(columns: Columns, statistics: Mapping[str, ColumnStatistics]) -> list[str]:
    """Return a note if most names are those of schools, pharmacies or the like, or of clinics for animals."""
    notes = []
    for column in columns.columns_of("hospital_name"):
        if column not in statistics or statistics[column].share_of(_names_another_place) <= _MOST:
            continue
        first = next(value for value, _ in statistics[column].known_cells if _names_another_place(value))
        notes.append(
            f"most names in {column!r} are not those of hospitals, such as {str(first)[:_LONGEST_SHOWN]!r}; they "
            "are loaded as hospitals: if they are none, get the list of the hospitals themselves"
        )
    return notes


def notes_on_closed_by_answers(columns: Columns, statistics: Mapping[str, ColumnStatistics]) -> list[str]:
    """Return a note for each column called "Closed" or the like that has the answer yes; such rows are loaded."""
    notes = []
    for column in _not_fields(columns):
        if fold(column).removeprefix("is ") not in word_set("closed"):
            continue
        known = statistics[column].known_cells
        reader = YesNoReader(yes_no_style([value for value, _ in known]))
        if count := sum(count for value, count in known if _is_yes(reader, value)):
            have = "1 row has" if count == 1 else f"{count:,} rows have"
            notes.append(
                f"{have} the answer yes in {column!r} and are loaded as hospitals; if they are not at work, take "
                "them out of the list"
            )
    return notes


def notes_on_closing_dates(columns: Columns, statistics: Mapping[str, ColumnStatistics]) -> list[str]:
    """Return a note for each column that says since when a hospital is closed. They are loaded all the same."""
    notes = []
    for column in _not_fields(columns):
        if " ".join(name_tokens(column)) not in word_set("closing_dates"):
            continue
        known = statistics[column].without(_is_no_end)
        if known.filled:
            have = "1 row has" if known.filled == 1 else f"{known.filled:,} rows have"
            notes.append(
                f"{have} a {column!r}, first {known.first[:_LONGEST_SHOWN]!r}; all of them are loaded: if a "
                "hospital is closed since then, take it out of the list"
            )
    return notes


def _not_fields(columns: Columns) -> list[str]:
    """Return the columns that are left out, or kept as attributes."""
    attributes = [it.columns for it in columns.mapped if it.field.startswith(ATTRIBUTE_PREFIX)]
    return [*columns.left_out, *(column for its in attributes for column in its)]


def _names_another_place(value: object) -> bool:
    return names_another_place(str(value))


def _is_yes(reader: YesNoReader, value: object) -> bool:
    try:
        return reader.read((value,)) is True
    except UnreadableCell:
        return False


def _is_no_end(value: object) -> bool:
    """Return whether a cell stands for no end: nothing but zeros, or a year far ahead such as 2099 or 9999."""
    text = str(value)
    return _NO_END.search(text) is not None or not any(map(str.isdigit, text)) or not text.strip("0-/.: T")


def _listed(counts: Mapping[str, int]) -> str:
    most = sorted(counts, key=lambda value: -counts[value])
    listed = ", ".join(f"{value} ({counts[value]:,})" for value in most[:_MOST_LISTED])
    return f"{sum(counts.values()):,}, {listed}" + ", …" * (len(most) > _MOST_LISTED)
