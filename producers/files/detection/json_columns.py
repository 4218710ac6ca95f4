"""JSON without a list of records: columns as pandas writes them, and hospitals under two levels of keys."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import ijson

from producers.files.columns.names import fields_by_name
from producers.files.parts import name_column
from producers.files.readers.text import TextSource

_MOST_COLUMNS = 300
_SAMPLED = 20


def find_columns(source: TextSource) -> tuple[str, int] | None:
    """Return where a document has its columns, such as `data` or the document itself (""), and how many rows.

    They are objects with the same keys, or lists of one length, under the names of the columns.
    """
    with source.open_utf8() as stream:
        # One pass over what is small enough to be kept.
        document = next(ijson.items(stream, "", use_float=True, multiple_values=True), None)
    if not isinstance(document, dict):
        return None
    for path, value in (("", document), *document.items()):
        if isinstance(value, dict) and (count := _rows_of(value)):
            return str(path), count
    return None


def rows_of_columns(source: TextSource, path: str) -> Iterator[dict[str, object]]:
    """Yield the rows of the document in which `find_columns` has found columns at `path`."""
    with source.open_utf8() as stream:
        columns: Mapping[str, Any] = next(ijson.items(stream, path, use_float=True, multiple_values=True))
    first = next(iter(columns.values()))
    for key in first if isinstance(first, dict) else range(len(first)):
        yield {name: values[key] for name, values in columns.items()}


def has_two_levels(source: TextSource, path: str) -> bool:
    """Return whether the objects under the keys at `path` have the hospitals under keys of their own."""
    prefix = path.removesuffix("*").removesuffix(".")
    with source.open_utf8() as stream:
        pairs = ijson.kvitems(stream, prefix, use_float=True, multiple_values=True)
        groups = [group for _, group in islice(pairs, _SAMPLED)]
    # One object alone is the one that has the hospitals.
    return len(groups) > 1 and all(isinstance(group, dict) and _is_group(group) for group in groups)


def are_maps(source: TextSource) -> bool:
    """Return whether documents that follow each other have hospitals under keys, and are not hospitals themselves.

    They have nothing but objects then. Parts of a hospital, such as its address, are under the same keys in each
    document and are not made of objects again.
    """
    with source.open_utf8() as stream:
        values = islice(ijson.items(stream, "", use_float=True, multiple_values=True), _SAMPLED)
        documents = [value for value in values if isinstance(value, dict)]
    parts = [part for document in documents for part in document.values()]
    if not parts or not all(isinstance(part, dict) for part in parts):
        return False
    names = Counter(name for document in documents for name in document)
    return max(names.values()) == 1 or all(isinstance(it, dict) for part in parts for it in part.values())


def _is_group(group: Mapping[str, object]) -> bool:
    records = list(islice(group.values(), _SAMPLED))
    if not records or any(fields_by_name(key) for key in islice(group, _SAMPLED)):
        return False
    keys = {str(key): None for record in records if isinstance(record, dict) for key in record}
    return all(isinstance(record, dict) for record in records) and name_column([*keys]) is not None


def _rows_of(columns: Mapping[str, object]) -> int:
    """Return how many rows the columns have, 0 if they are not columns."""
    if not 1 < len(columns) <= _MOST_COLUMNS or name_column([*columns]) is None:
        return 0
    first = next(iter(columns.values()))
    if isinstance(first, list):
        alike = all(isinstance(it, list) and len(it) == len(first) for it in columns.values())
        is_flat = not any(isinstance(cell, dict | list) for cell in first)
        return len(first) if alike and is_flat and len(first) > 1 else 0
    if not isinstance(first, dict) or any(fields_by_name(key) for key in islice(first, _SAMPLED)):
        return 0
    alike = all(isinstance(it, dict) and it.keys() == first.keys() for it in columns.values())
    return len(first) if alike and not any(isinstance(cell, dict) for cell in first.values()) else 0
