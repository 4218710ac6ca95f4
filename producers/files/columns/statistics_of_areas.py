"""Refuses lists that count the hospitals of countries or regions: `label,total`. Their names are those of areas."""

from collections.abc import Mapping, Sequence

from producers.files.columns.mapping import option
from producers.files.columns.model import ColumnError
from producers.files.columns.name_table import name_table, name_tokens
from producers.files.columns.names import fields_by_name, identifier_cost, is_serial, names_a_count
from producers.files.rows.phrases import kinds_of_count, names_an_area
from producers.files.statistics import ColumnStatistics
from producers.files.values.countries import is_country
from producers.files.words import fold, names_a_hospital

# Hospitals may be called as a country is: a few of a list.
_COUNTRIES, _NEARLY_ALL, _FEWEST = 0.5, 0.9, 2
# What the hospitals of an area have not.
_OF_ONE_PLACE = frozenset(("phone", "postal_code", "latitude", "longitude", "location", "address"))
_VALUES = frozenset(
    (
        *(
            "value",
            "values",
            "amount",
            "percent",
            "percentage",
            "rate",
            "valor",
            "valores",
            "valeur",
            "wert",
            "werte",
        ),
        *(
            "valore",
            "waarde",
            "wartosc",
            "hodnota",
            "deger",
            "nilai",
            "значение",
            "значення",
            "值",
            "値",
            "수치",
            "القيمة",
        ),
    )
)


def refuse_statistics(column: str, columns: Sequence[str], statistics: Mapping[str, ColumnStatistics]) -> None:
    """Raise `ColumnError` if `column`, found by its name to have the hospitals' names, names countries or regions.

    Countries are known by their names. Other areas are called so, or the list counts something of them, says
    nowhere that they are hospitals, and has nothing else but numbers.
    """
    known = statistics.get(column)
    names = {str(value) for value, _ in known.known_cells} if known is not None else set()
    countries = sum(map(is_country, names))
    what = ""
    if countries >= max(_FEWEST, _COUNTRIES * len(names)):
        what = "countries"
    elif len(names) >= _FEWEST and _are_areas(column, names, columns, statistics):
        what = "areas, with numbers of each"
    if what and known is not None:
        raise ColumnError(
            f"{column} seems to have the names of {what} (first: {known.first[:40]}): these are statistics, not "
            f"hospitals; if they are hospitals: {option('hospital_name', column)}"
        )


def _are_areas(
    column: str, names: set[str], columns: Sequence[str], statistics: Mapping[str, ColumnStatistics]
) -> bool:
    if not name_table().words["facility"].isdisjoint(name_tokens(column)) or any(map(names_a_hospital, names)):
        return False
    others = [it for it in columns if it != column and it in statistics and statistics[it].filled]
    if not others or any(statistics[it].share("number") < _NEARLY_ALL or _is_of_hospitals(it) for it in others):
        return False
    areas = sum(map(names_an_area, names))
    return any(map(_counts_hospitals, others)) or areas >= max(_FEWEST, _NEARLY_ALL * len(names))


def _counts_hospitals(column: str) -> bool:
    """Return whether a column is called "Hospitals", "Total" or "Value" and no more. "No" may number the rows."""
    kinds = kinds_of_count(column)
    counts = (
        fold(column) in _VALUES
        or not kinds.isdisjoint(("counted", "totals"))
        or ("counting" in kinds and names_a_count(column))
    )
    return counts and not is_serial(column) and fields_by_name(column).keys() <= {"hospital_name"}


def _is_of_hospitals(column: str) -> bool:
    return identifier_cost(column) is not None or not _OF_ONE_PLACE.isdisjoint(fields_by_name(column))
