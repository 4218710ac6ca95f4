"""Notices lists whose publisher has exchanged name and address: each column has the cells of the other."""

from collections.abc import Mapping, Sequence

from producers.files.columns.names import fields_by_name
from producers.files.statistics import ColumnStatistics
from producers.files.words import names_a_hospital

_NEARLY_ALL, _MOST, _FEW = 0.9, 0.7, 0.1
_FEWEST = 3


def exchanged_names(columns: Sequence[str], statistics: Mapping[str, ColumnStatistics]) -> dict[str, str]:
    """Return the columns called a name whose cells are addresses, each with the reason.

    That is so only if a column called an address has hospitals in its cells: many a hospital is called "Ward 5".
    """
    known = {column: statistics[column] for column in columns if column in statistics}
    hospitals = [
        column
        for column, its in known.items()
        if "address" in fields_by_name(column) and its.filled >= _FEWEST and _hospitals(its) >= _MOST
    ]
    if not hospitals:
        return {}
    return {
        column: f"looks like an address in nearly all rows, and {hospitals[0]} has names of hospitals"
        for column, its in known.items()
        if column not in hospitals
        and "hospital_name" in fields_by_name(column)
        and _hospitals(its) <= _FEW
        and its.share_of(_may_be_address) >= _NEARLY_ALL
    }


def _hospitals(known: ColumnStatistics) -> float:
    return known.share_of(lambda value: names_a_hospital(str(value)))


def _may_be_address(value: object) -> bool:
    text = str(value)
    return any(map(str.isdecimal, text)) and any(map(str.isalpha, text))
