"""Whether the hospitals of a JSON document are the records of a list, or those of a list within each record."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal

import ijson

from producers.files.columns.names import fields_by_name, mentions_name
from producers.files.parts import Evidence, evidence, is_of_hospitals, is_of_others, name_column
from producers.files.readers.envelopes import unwrapped
from producers.files.readers.nested_lists import is_place, name_of_list
from producers.files.readers.text import TextSource
from producers.files.words import fold, names_a_hospital, word_set

Which = Literal["inner", "outer", "doubt"]

_SAMPLED = 200
_OFTEN = 0.3
# Names of people and of departments stand beside nothing else.
_OF_PEOPLE = frozenset(("hospital_name", "phone"))


def which_are_hospitals(source: TextSource, path: str, above: Sequence[str], keys: Sequence[str]) -> Which:
    """Return which records are the hospitals: those of the list at `path`, or those that it stands in.

    `path` is as in `--records`: `regions[].hospitals`. `keys` are those of its records, `above` those of the
    records around it. What the document's first values are is looked at as well.
    """
    name = name_of_list(path)
    at = name_column(keys)
    if at is None or is_of_others(name):
        return "outer"
    is_certain = _cost(name) < min(map(_cost, above), default=_NO_NAME) or (
        is_of_hospitals(name) and evidence("", keys) > evidence("", above)
    )
    is_tree = {*above} == {*keys}
    if not is_certain and not is_tree and (name_column(above) is not None or _are_people(keys)):
        return "outer"
    records = list(islice(_records(source, path), _SAMPLED))
    around = [found for record in records for found in _around(record, _steps(path))]
    names = [found.get(keys[at]) for record in records for found in _within(record, _steps(path))]
    by_key = {key: [it[key] for it in around if isinstance(it.get(key), str)] for key in above if not is_place(key)}
    are_called_so = _are_hospitals(names)
    are_above = any(map(_are_hospitals, by_key.values()))
    if is_tree and not is_certain and (are_above or not are_called_so):
        # Departments of hospitals have the keys of hospitals, too, but regions are not called hospitals.
        return "outer"
    if are_above:
        if is_certain or are_called_so:
            return "inner" if are_called_so and is_of_hospitals(name) else "doubt"
        return "outer"
    may_be_names = any(values and not _is_of_pages(key) for key, values in by_key.items())
    is_known = any(map(is_place, above)) and evidence(name, keys) >= Evidence.FIELDS
    return "inner" if is_certain or are_called_so or is_known or not may_be_names else "doubt"


def is_page(record: Mapping[str, object]) -> bool:
    """Return whether an object is a page of a list: nothing but a list of hospitals and what numbers the page."""
    lists = {key: value for key, value in record.items() if isinstance(value, list) and value}
    own = [key for key, value in record.items() if not isinstance(value, list)]
    if not lists or not all(map(_is_of_pages, own)):
        return False
    first = [value[0] for value in lists.values()]
    return any(isinstance(it, dict) and name_column([*map(str, it)]) is not None for it in first)


def _are_people(keys: Sequence[str]) -> bool:
    """Return whether records know what people have, a name and a telephone, and nothing that a hospital has."""
    if len(keys) < 2:
        return False
    return all(
        (found and found <= _OF_PEOPLE) or fold(key) in word_set("columns_of_people") or mentions_name(key)
        for key in keys
        for found in (fields_by_name(key).keys(),)
    )


def _are_hospitals(values: Sequence[object]) -> bool:
    texts = [value for value in values if isinstance(value, str) and value]
    return bool(texts) and sum(map(names_a_hospital, texts)) >= _OFTEN * len(texts)


def _is_of_pages(key: str) -> bool:
    return fold(key) in word_set("keys_of_pages") or is_place(key)


_NO_NAME = 1_000


def _cost(key: str) -> int:
    match = fields_by_name(key).get("hospital_name")
    return _NO_NAME if match is None else match.cost


def _steps(path: str) -> list[str]:
    return [step.removeprefix(".") for step in path.split("[]")[1:] if step]


def _records(source: TextSource, path: str) -> Iterator[object]:
    with source.open_utf8() as stream:
        prefix = f"{path.partition('[]')[0]}.item".lstrip(".")
        yield from ijson.items(stream, prefix, use_float=True, multiple_values=True)


def _around(record: object, steps: Sequence[str]) -> Iterator[Mapping[str, object]]:
    for count in range(len(steps)):
        yield from _within(record, steps[:count])


def _within(record: object, steps: Sequence[str]) -> Iterator[Mapping[str, object]]:
    if not isinstance(record, dict):
        return
    if not steps:
        yield unwrapped(record)
        return
    inner: object = record
    for key in steps[0].split("."):
        inner = inner.get(key) if isinstance(inner, dict) else None
    for it in inner if isinstance(inner, list) else [inner]:
        yield from _within(it, steps[1:])
