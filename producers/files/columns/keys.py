"""Finds the fewest columns that tell the rows of a list apart, for the hint on an identifier joined from them."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from producers.files.columns.identifiers import FULL, counts_rows
from producers.files.columns.model import Columns
from producers.files.columns.names import is_serial
from producers.files.statistics import ColumnStatistics

# What lasts comes first; a telephone number may change.
_FIELDS = ("address", "city", "postal_code", "county", "state", "local_id", "phone", "ownership", "beds")
_POSITION = ("latitude", "longitude")
_MOST_TRIED = 12
_MOST_TOGETHER = 2


def telling_columns(
    columns: Columns, statistics: Mapping[str, ColumnStatistics], rows: Sequence[Mapping[str, object]]
) -> tuple[str, ...]:
    """Return the identifier or the name, and the fewest full columns with which it differs in each of `rows`.

    Empty if there are none. Rows that agree in all cells are one. A column of objects, such as a position in
    GeoJSON, is not text and cannot be part of an identifier; nor can one that numbers the rows.
    """
    base = columns.columns_of("external_id") or columns.columns_of("hospital_name")
    different = list({tuple(map(str, row.values())): row for row in rows}.values())
    units = [unit for unit in _units(columns) if all(_may_be_joined(statistics.get(column)) for column in unit)]
    for together in range(1, _MOST_TOGETHER + 1):
        for chosen in combinations(units[:_MOST_TRIED], together):
            more = tuple(column for unit in chosen for column in unit if column not in base)
            if more and _are_unique((*base, *more), different):
                return (*base, *more)
    return ()


def _units(columns: Columns) -> Iterable[tuple[str, ...]]:
    """Yield what may be added: one column, or both of a position."""
    if columns.columns_of("external_id"):
        yield columns.columns_of("hospital_name")
    for field in _FIELDS:
        yield from [its] if (its := columns.columns_of(field)) else []
    position = tuple(column for field in _POSITION for column in columns.columns_of(field))
    yield from [position] if position else []
    yield from ((column,) for column in columns.left_out if not is_serial(column))


def _may_be_joined(known: ColumnStatistics | None) -> bool:
    if known is None or known.filled < FULL * known.rows or counts_rows(known):
        return False
    return not any(isinstance(value, Mapping | list) for value in known.sample)


def _are_unique(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> bool:
    seen = {tuple(str(row.get(column) or "").strip().casefold() for column in columns) for row in rows}
    return len(seen) == len(rows)
