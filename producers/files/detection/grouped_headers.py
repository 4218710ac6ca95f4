"""Joins the names of columns that are written in two rows: groups of columns, and below them the parts of each.

"Beds" above "general" and "total" becomes "Beds general" and "Beds total", so that a part is never taken for all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from producers.files.columns.names import fields_by_name, identifier_cost
from producers.files.detection.better_headers import better_header
from producers.files.detection.headers import NUMBER, Header, filled, named
from producers.files.table import REJECT_COLUMNS

_LONGEST_NAME, _MOST_SHOWN = 60, 20
_WITH_PARTS = frozenset(("address", "location", "phone"))


@dataclass(frozen=True, slots=True)
class Names:
    """The names of the columns, the index of their first row, and how many rows they are in."""

    names: Sequence[str]
    row: int
    rows: int = 1
    notes: tuple[str, ...] = ()


def names_of(rows: Sequence[Sequence[str]], header: Header, *, above: bool) -> Names:
    """Return the names in the header's row, joined with those of groups or of their parts if there are any.

    `above`: whether the row above the header, too, may have the names of groups.
    """
    row = header.row
    here = rows[row] if row < len(rows) else ()
    if tuple(here[: len(REJECT_COLUMNS)]) == REJECT_COLUMNS:
        return Names(here, row)
    for first in (row, row - 1) if above and row else (row,):
        if first + 2 < len(rows) and (joined := _joined(rows[first], rows[first + 1])):
            shown = ", ".join(map(repr, joined[:_MOST_SHOWN]))
            return Names(joined, first, 2, (f"the names of columns are in two rows, which are joined: {shown}",))
    if above:
        row = better_header(rows, header).row
    return Names(rows[row] if row < len(rows) else (), row)


def _joined(upper: Sequence[str], lower: Sequence[str]) -> list[str]:
    """Return the joined names, or none if these are not two rows of names."""
    width = max(len(upper), len(lower))
    above = [" ".join(cell.split()) for cell in upper] + [""] * (width - len(upper))
    below = [" ".join(cell.split()) for cell in lower] + [""] * (width - len(lower))
    if any(len(cell) > _LONGEST_NAME or NUMBER.fullmatch(cell) for cell in below if cell):
        return []
    groups = _groups(above, below)
    grouped = {column for group in groups for column in group}
    apart = [column for column in range(width) if column not in grouped and (above[column] or below[column])]
    twice = [column for column in apart if above[column] and below[column]]
    # Below a name that stands alone, a row of data has a value, and a second row of names another name. A title
    # above a header is not a name.
    names_both = [*(above[it] for it in twice), *(below[it] for it in twice), *(above[it.start] for it in groups)]
    if not groups or (twice and not all(map(_is_known, names_both))):
        return []
    # A row of data has values in the columns that belong to no group, and a title above a header is not a name.
    only_above = any(above[column] for column in apart)
    names_parts = bool(apart) and named(above) >= 1 and named(below) > 1 and not any(above[it] for it in apart)
    if not (names_parts or (only_above and filled(below) > 1)):
        return []
    names = [over or under for over, under in zip(above, below, strict=True)]
    for group in groups:
        for column in group:
            names[column] = _joined_name(above[group.start], below[column])
    return names


def _is_known(name: str) -> bool:
    return bool(fields_by_name(name)) or identifier_cost(name) is not None


def _joined_name(group: str, part: str) -> str:
    """Return a group's name and a part's as one, or the part's alone if it says what the joined name does not.

    A town below "address" is a town in any language, but a name below "manager" is not the hospital's.
    """
    joined = f"{group} {part}"
    if fields_by_name(joined) or _WITH_PARTS.isdisjoint(fields_by_name(group)):
        return joined
    return part if fields_by_name(part).keys() - {"hospital_name"} else joined


def _groups(above: Sequence[str], below: Sequence[str]) -> list[range]:
    """Return the columns of each group: several with a name of their own, and one name above the first of them."""
    found = []
    for start, name in enumerate(above):
        end = start
        while end < len(above) and below[end] and (end == start or not above[end]):
            end += 1
        if name and end - start > 1:
            found.append(range(start, end))
    return found
