"""Records in lists within lists, such as the hospitals of each region, with the place that they stand below."""

from collections.abc import Iterator, Mapping, Sequence

from producers.files.columns.names import fields_by_name
from producers.files.readers.envelopes import unwrapped

_PLACES = frozenset(("country", "state", "county", "city"))
# GraphQL has a list under one of these, below what the list is called.
_EDGES = frozenset(("edges", "nodes"))


def records_within(records: Iterator[object], keys: Sequence[str], steps: Sequence[str]) -> Iterator[object]:
    """Yield the records in the lists of `records`.

    `steps` are the paths from each level to its list, such as `hospitals`; `keys` the names of the levels, such as
    `regions`. What names a place on a level is a column of its records: `region`, or `regions.name`.
    """
    for record in records:
        yield from _within(record, keys, steps, {})


def name_of_list(path: str) -> str:
    """Return what the list at a path is called: `hospitals` for `regions[].hospitals` and `hospitals.edges`."""
    keys = path.replace("[]", "").split(".")
    return next((key for key in reversed(keys) if key not in _EDGES), keys[-1])


def is_place(column: str) -> bool:
    """Return whether a column of this name contains a place, and nothing else that a record has."""
    return bool(fields_by_name(column)) and fields_by_name(column).keys() <= _PLACES


def _within(
    record: object, keys: Sequence[str], steps: Sequence[str], above: Mapping[str, object]
) -> Iterator[object]:
    if not isinstance(record, dict):
        yield record
        return
    if not steps:
        yield {**above, **unwrapped(record)} if above else record
        return
    inner: object = record
    for key in steps[0].split("."):
        inner = inner.get(key) if isinstance(inner, dict) else None
    # Converters of XML write a list of one as an object.
    found = inner if isinstance(inner, list) else [] if inner is None else [inner]
    below = {**above, **_places(unwrapped(record), keys[0])}
    for it in found:
        yield from _within(it, keys[1:], steps[1:], below)


def _places(record: Mapping[str, object], key: str) -> dict[str, object]:
    """Return what names the place; a number of beds is that of all its hospitals together."""
    found: dict[str, object] = {}
    for name, value in record.items():
        if isinstance(value, dict | list):
            continue
        for column in (name, f"{key}.{name}"):
            if is_place(column):
                found[column] = value
                break
    return found
