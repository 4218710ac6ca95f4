"""Refuses a table whose first row is a hospital, or whose hospitals stand beside each other instead of below."""

import re
from collections.abc import Mapping, Sequence

from producers.files.columns.mapping import option
from producers.files.columns.model import ColumnError
from producers.files.columns.names import fields_by_name, identifier_cost, is_serial, mentions_name
from producers.files.statistics import ColumnStatistics
from producers.files.words import names_a_hospital

_FEWEST_FIELDS, _MOST_SHOWN = 2, 5
# "Clinic A" and "The Clinic" are what a hospital is called, and only by chance a name of a column.
_LIKE_ONE_HOSPITAL = re.compile(r"(?:[Tt]he|[Ll]a|[Ll]e|[Ee]l|[Dd]ie|[Dd]as) .+|.+ (?:[A-Z]|\d{1,3})")
_NUMBER = re.compile(r"[\d.,]*\d[\d.,]*")
_YEAR = re.compile(r"(?:19|20)\d\d")


def refuse_what_is_no_header(
    column: str, columns: Sequence[str], statistics: Mapping[str, ColumnStatistics]
) -> None:
    """Raise `ColumnError` if `column`, found by its name to have the hospitals' names, may not be called so.

    That is so if the cells of the first column are names of fields, because the table lies on its side, and if it
    may be the first hospital itself, which would be lost.
    """
    known = statistics.get(columns[0])
    cells = [] if known is None else list(dict.fromkeys(map(str, known.sample)))
    if len(cells) >= _FEWEST_FIELDS and all(map(_is_field, cells)):
        shown = ", ".join(map(repr, cells[:_MOST_SHOWN]))
        raise ColumnError(
            f"its rows are called {shown}, as columns are: the table lies on its side; turn it, so that each "
            f"hospital is a row; if these are hospitals: {option('hospital_name', column)}"
        )
    others = [other for other in columns if other != column]
    if any(fields_by_name(other) or identifier_cost(other) is not None or is_serial(other) for other in others):
        return
    if mentions_name(column):
        return
    if _LIKE_ONE_HOSPITAL.fullmatch(column) or any(map(_is_number, others)):
        raise ColumnError(
            "its first line may be a hospital, because nothing else in it is known as the name of a column; if it "
            f"is a hospital: --no-header --map hospital_name={columns.index(column) + 1}; if it is the header: "
            f"{option('hospital_name', column)}"
        )


def _is_field(text: str) -> bool:
    # The words of an address on the web are no name of a column.
    return (
        "://" not in text and bool(fields_by_name(text).keys() - {"hospital_name"}) and not names_a_hospital(text)
    )


def _is_number(name: str) -> bool:
    return _NUMBER.fullmatch(name) is not None and _YEAR.fullmatch(name) is None
