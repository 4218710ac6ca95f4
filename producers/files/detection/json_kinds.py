"""Whether a text is JSON, and whether it is one document or one object on each line."""

import orjson

from producers.files.detection.nested_records import is_page
from producers.files.parts import name_column

_LINES_TRIED = 20


def is_json(head: str) -> bool:
    """Return whether a text with this start is JSON or NDJSON."""
    text = head.lstrip("\x1e \t\r\n")
    after = text[1:].lstrip(" \t\r\n")[:1]
    return (text.startswith("{") and after in ('"', "}", "")) or (
        text.startswith("[") and (after == "" or after in '{["]-0123456789tfn')
    )


def is_ndjson(head: str, *, whole: bool) -> bool:
    """Return whether a JSON text with this start has one object on each line. `whole` says that this is all."""
    lines = [line for line in head.splitlines()[: _LINES_TRIED * 2] if line.strip("\x1e \t\r")]
    if not whole and not head.endswith("\n"):
        lines = lines[:-1]
    tried = lines[:_LINES_TRIED]
    if tried and _object(tried[0]) is None and _object(_without_comma(tried[0])) is not None:
        # No document continues like this after its first object.
        tried = [*map(_without_comma, tried)]
    objects = [found for found in map(_object, tried) if found is not None]
    if objects and all(map(is_page, objects)):
        return False
    if len(tried) < 2:
        return whole and len(objects) == len(tried) == 1 and not _has_records(objects[0])
    return 2 * len(objects) >= len(tried) and not any("features" in found for found in objects)


def _has_records(value: object) -> bool:
    """Return whether the value is, or contains in objects, a list of objects, or objects alike under keys."""
    if isinstance(value, dict):
        inner = [set(it) for it in value.values() if isinstance(it, dict)]
        # A record has other values, and its objects are not alike.
        alike = 1 < len(inner) == len(value) and bool(set.intersection(*inner))
        lengths = {len(it) if isinstance(it, list) else 0 for it in value.values()}
        if len(lengths) == 1 and min(lengths) > 1 and name_column([*value]) is not None:
            # Columns, each with all its cells.
            return True
        return alike or any(map(_has_records, value.values()))
    return isinstance(value, list) and any(isinstance(item, dict | list) for item in value)


def _without_comma(line: str) -> str:
    return line.rstrip().removesuffix(",")


def _object(line: str) -> dict[str, object] | None:
    try:
        found = orjson.loads(line.strip("\x1e \t\r"))
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
