"""Turns rows into columns, and cells into text, many at once."""

from collections.abc import Mapping, Sequence
from datetime import date
from operator import itemgetter


def cells_by_column(
    rows: Sequence[Mapping[str, object]], names: Sequence[str]
) -> Sequence[Sequence[object]] | None:
    """Return the cells of each column, or None if a row has other columns than these."""
    if len(names) < 2 or {*map(len, rows)} != {len(names)}:
        return None
    try:
        return list(zip(*map(itemgetter(*names), rows), strict=True))
    except KeyError:
        return None


def as_texts(cells: Sequence[object]) -> list[str]:
    """Return cells as stripped text: "" for None, 17 for 17.0, ISO 8601 for a date."""
    if set(map(type, cells)) == {str}:
        return list(map(str.strip, cells))  # type: ignore[arg-type]
    return [_text(cell) for cell in cells]


def _text(cell: object) -> str:
    match cell:
        case None:
            return ""
        case str():
            return cell.strip()
        case bool():
            return "true" if cell else "false"
        case float() if cell.is_integer():
            return str(int(cell))
        case date():
            return cell.isoformat()
    return str(cell)
