"""Finds coordinates that a list has in parts: degrees, minutes and seconds, each in a column of its own."""

from collections.abc import Sequence

from producers.files.columns.name_table import name_table, name_tokens
from producers.files.columns.names import fields_by_name

_PARTS = ("degrees", "minutes", "seconds", "hemisphere")
_FEWEST = 2


def angle_parts(axis: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that the coordinates of an axis are joined from, the degrees first; none without minutes.

    `axis` is `latitude` or `longitude`. Whole degrees alone may be a hundred kilometres away.
    """
    found: dict[str, str] = {}
    for column in columns:
        part = _part_of(axis, column)
        if part is not None:
            found.setdefault(part, column)
    if not found.keys() >= {*_PARTS[:_FEWEST]}:
        return ()
    return tuple(found[part] for part in _PARTS if part in found)


def on_angle_parts(axis: str, parts: Sequence[str]) -> str:
    """Return a note on coordinates that are joined from these columns."""
    return f"{axis} is joined from {', '.join(parts)}: degrees, minutes and seconds; to leave it out: --map {axis}="


def _part_of(axis: str, column: str) -> str | None:
    """Return which part of a coordinate a name is that of, if it is one of the axis."""
    words = name_table().words
    tokens = name_tokens(column)
    for at, token in enumerate(tokens):
        part = next((it for it in _PARTS if token in words[it]), None)
        fields = fields_by_name(" ".join((*tokens[:at], *tokens[at + 1 :]))) if part and len(tokens) > 1 else {}
        if fields and min(fields, key=lambda field: fields[field]) == axis:
            return part
    return None
