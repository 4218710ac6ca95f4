"""Finds where the records of a JSON document are: one pass over all of it, in bounded memory."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import ijson
import orjson

from producers.files.alike import names_alike
from producers.files.columns.names import fields_by_name
from producers.files.errors import FileError
from producers.files.readers.nested_lists import is_place
from producers.files.readers.text import TextSource

_DEEPEST = 100
_LINES_TRIED = 20
_DESCRIPTIONS = ("columns", "fields", "field")
# What a description of a column calls its name, best first; in a list of names it is "".
_NAMES = ("", "name", "label", "title", "id")
_KEYS_COMPARED = 300
# More than any name costs.
_NONE = 1_000
Layout = Literal["array", "map", "rows", "values", "nested"]


@dataclass(slots=True)
class Shape:
    """Where the records are: `records` as in `Dialect`, at most `count` of them, and what else the document says.

    `others` are its other lists, and `unread` those that look like the same list, unless one was wished.
    """

    records: str
    count: int
    layout: Layout = "array"
    is_geojson: bool = False
    crs: str = ""
    others: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


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
    objects = [found for found in map(_object, tried) if found is not None]
    if len(tried) < 2:
        return whole and len(objects) == len(tried) == 1 and not _has_records(objects[0])
    return 2 * len(objects) >= len(tried) and not any("features" in found for found in objects)


def find_records(source: TextSource, wish: str | None) -> Shape:
    """Read the whole document and return where its records are. `wish` is what the user has named.

    Raises `FileError` if the document is broken, or has no array of records.
    """
    scan = _Scan(source.path)
    try:
        with source.open_utf8() as stream:
            for event, value in ijson.basic_parse(stream, multiple_values=True, use_float=True):
                scan.take(event, value)
    except ijson.JSONError as error:
        reason = " ".join(str(error).split())[:120]
        raise FileError(
            source.path, f"is broken JSON after record {scan.most()} ({reason}); fetch it again, or correct it"
        ) from None
    return scan.shape(wish)


class _Scan:
    """Counts the objects in each array, and in each object, by where they are."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._where: list[str] = []  # the keys above, "[]" for an array
        self.objects = Counter[str]()
        self._rows = Counter[str]()
        self._maps = Counter[str]()
        self._documents = 0
        self._features = 0
        self._crs = ""
        self._names: dict[str, list[str]] = {}
        self._keys: dict[str, dict[str, None]] = {}

    def most(self) -> int:
        return max(self.objects.values(), default=0)

    def take(self, event: str, value: object) -> None:
        if event == "map_key":
            self._where[-1] = str(value)
            if self._where[-2:-1] == ["[]"]:
                keys = self._keys.setdefault(".".join(self._where[:-2]), {})
                if len(keys) < _KEYS_COMPARED:
                    keys[str(value)] = None
        elif event in ("start_map", "start_array"):
            self._begin(event)
            self._where.append("" if event == "start_map" else "[]")
            if len(self._where) > _DEEPEST:
                raise FileError(self._path, f"is nested more than {_DEEPEST} levels deep")
        elif event in ("end_map", "end_array"):
            self._where.pop()
        elif event == "string":
            self._string(str(value))

    def _begin(self, event: str) -> None:
        if not self._where:
            self._documents += event == "start_map"
        elif self._where[-1] == "[]":
            path = ".".join(self._where[:-1])
            (self.objects if event == "start_map" else self._rows)[path] += 1
        elif event == "start_map":
            self._maps[".".join(self._where[:-1])] += 1

    def _string(self, value: str) -> None:
        if self._where[-1:] == ["type"] and value == "Feature":
            self._features += 1
        elif self._where == ["crs", "properties", "name"]:
            self._crs = value
        elif "[]" in self._where:
            first = self._where.index("[]")
            key = ".".join(self._where[first + 1 :])
            if first and self._where[first - 1] in _DESCRIPTIONS and key in _NAMES:
                self._names.setdefault(key, []).append(value)

    def shape(self, wish: str | None) -> Shape:
        arrays = {path: count for path, count in self.objects.items() if "[]" not in path.split(".")}
        nested = {path: count for path, count in self.objects.items() if path not in arrays}
        rows = {path: count for path, count in self._rows.items() if "[]" not in path.split(".")}
        if wish is not None:
            return self._wished(wish, arrays | rows)
        widest = max(rows, key=lambda path: rows[path], default=None)
        # Beside the records stand the descriptions of their columns, which may be more.
        described = {path: count for path, count in arrays.items() if path.rpartition(".")[2] in _DESCRIPTIONS}
        if rows or described.keys() < arrays.keys():
            arrays = {path: count for path, count in arrays.items() if path not in described}
        best = max(arrays, key=lambda path: (arrays[path], -len(path)), default=None)
        if widest is not None and (best is None or rows[widest] > arrays[best]):
            return Shape(widest, rows[widest], "rows", names=self._column_names())
        maps = {path: count for path, count in self._maps.items() if "[]" not in path.split(".")}
        if best is None and self._documents > 1:
            return Shape("", self._documents, "values")
        if best is None:
            by_key = max(maps, key=lambda path: maps[path], default=None)
            if by_key is not None and maps[by_key] > 1:
                return Shape(f"{by_key}.*".lstrip("."), maps[by_key], "map")
            raise FileError(self._path, "is JSON without a list of records; --records names where they are")
        within = [path for path in self._lists_of_hospitals() if path.split(".[]")[0] == best or not best]
        if within:
            return self._nested(max(within, key=lambda path: nested[path]))
        if arrays[best] == 1 and nested and max(nested.values()) > 1:
            inner = _shown(max(nested, key=lambda path: nested[path]))
            raise FileError(
                self._path,
                f"has its records in lists within lists ({inner}); take them out, for example with jq -c",
            )
        others = sorted(
            (path for path in arrays if path != best and arrays[path] > 1), key=lambda path: -arrays[path]
        )
        is_geojson = self._features > 0 and best.rpartition(".")[2] == "features"
        return Shape(
            best, arrays[best], is_geojson=is_geojson, crs=self._crs, others=others, unread=self._unread(best)
        )

    def _unread(self, read: str) -> list[str]:
        """Return the lists that look like the one that is read."""
        keys = [*self._keys.get(read, ())]
        alike = [
            path
            for path in self.objects
            if "[]" not in path.split(".") and names_alike(keys, [*self._keys.get(path, ())])
        ]
        return [_shown(path) for path in [*alike, *self._lists_of_hospitals()] if path != read]

    def _lists_of_hospitals(self) -> list[str]:
        """Return the lists within the records of others that are of hospitals, and not of their departments."""
        return [path for path in self.objects if "[]" in path.split(".")[:-1] and self._is_of_hospitals(path)]

    def _is_of_hospitals(self, path: str) -> bool:
        if self._name_cost(path) == _NONE:
            return False
        levels = path.split("[]")
        above = ["[]".join(levels[:count]).removesuffix(".") for count in range(1, len(levels))]
        named = min(map(self._name_cost, above))
        if _cost_of_name(path.rpartition(".")[2]) < named:
            return True
        return named == _NONE and any(is_place(key) for level in above for key in self._keys_of_values(level))

    def _name_cost(self, path: str) -> int:
        """Return how well the best key of the records of a list names a hospital."""
        return min(map(_cost_of_name, self._keys_of_values(path)), default=_NONE)

    def _keys_of_values(self, path: str) -> list[str]:
        """Return the keys of the records of a list, without those of lists."""
        inner = f"{path}.[].".removeprefix(".")
        return [key for key in self._keys.get(path, ()) if f"{inner}{key}" not in self.objects]

    def _nested(self, path: str) -> Shape:
        # Where a level has one object in place of a list, that is a record, too.
        above = self.objects[path.rpartition("[]")[0].removesuffix(".")]
        return Shape(_shown(path), self.objects[path] + above, "nested", unread=self._unread(path))

    def _column_names(self) -> list[str]:
        return next((self._names[key] for key in _NAMES if key in self._names), [])

    def _wished(self, wish: str, found: dict[str, int]) -> Shape:
        path = "" if wish in (".", "") else wish
        if path.endswith("*"):
            return Shape(path, sum(self._maps.values()), "map")
        within = next((it for it in self.objects if "[]" in it.split(".") and _shown(it) == path), None)
        if within is not None:
            return self._nested(within)
        if path not in found:
            lists = {_shown(name): count for name, count in self.objects.items()} | found
            known = ", ".join(repr(name) for name in sorted(lists, key=lambda name: -lists[name])[:10])
            raise FileError(
                self._path, f"has no list of records at {wish!r}; its lists are at {known or 'no place'}"
            )
        layout: Layout = "rows" if path in self._rows and path not in self.objects else "array"
        names = self._column_names() if layout == "rows" else []
        is_geojson = self._features > 0 and path.rpartition(".")[2] == "features"
        return Shape(path, found[path], layout, is_geojson, self._crs, names=names, unread=self._unread(path))


def _shown(path: str) -> str:
    """Return a path as `--records` takes it: `regions[].hospitals`."""
    return path.replace(".[]", "[]")


def _cost_of_name(key: str) -> int:
    match = fields_by_name(key).get("hospital_name")
    return _NONE if match is None else match.cost


def _has_records(value: object) -> bool:
    """Return whether the value is, or contains in objects, a list of objects, or objects alike under keys."""
    if isinstance(value, dict):
        inner = [set(it) for it in value.values() if isinstance(it, dict)]
        # A record has other values, and its objects are not alike.
        alike = 1 < len(inner) == len(value) and bool(set.intersection(*inner))
        return alike or any(map(_has_records, value.values()))
    return isinstance(value, list) and any(isinstance(item, dict | list) for item in value)


def _object(line: str) -> dict[str, object] | None:
    try:
        found = orjson.loads(line.strip("\x1e \t\r"))
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
