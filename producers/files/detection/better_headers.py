"""Finds the names of the columns below a row that looks like a header: technical names, or a title."""

from collections.abc import Sequence
from dataclasses import replace

from producers.files.columns.names import fields_by_name, identifier_cost
from producers.files.detection.headers import Header, filled

_MOST_ABOVE = 3
_FEWEST = 3


def better_header(rows: Sequence[Sequence[str]], header: Header) -> Header:
    """Return the header, or that of the next rows which names more fields, the hospital's name among them.

    Such a row has nothing but names, and no row of data has: it would be a hospital called "name".
    """
    if not header.present or header.row >= len(rows):
        return header
    here = _fields(rows[header.row])
    for at in range(header.row + 1, min(header.row + 1 + _MOST_ABOVE, len(rows) - 1)):
        fields = _fields(rows[at])
        is_full = filled(rows[at]) >= max(_FEWEST, filled(rows[header.row]))
        if is_full and len(fields) > len(here) and "hospital_name" in fields and _are_names(rows[at]):
            return replace(header, row=at, doubtful=False)
    return header


def _fields(row: Sequence[str]) -> set[str]:
    """Return the fields that cells of a row name, each cell one."""
    best = (_field(cell.strip()) for cell in row if cell.strip())
    return {field for field in best if field}


def _field(cell: str) -> str:
    named = fields_by_name(cell)
    if named:
        return min(named, key=lambda field: named[field].cost)
    return "external_id" if identifier_cost(cell) is not None else ""


def _are_names(row: Sequence[str]) -> bool:
    cells = [cell.strip() for cell in row if cell.strip()]
    known = sum(bool(_field(cell)) for cell in cells)
    return (
        len(set(map(str.casefold, cells))) == len(cells)
        and 4 * known >= 3 * len(cells)
        and not any(map(str.isdigit, "".join(cells)))
    )
