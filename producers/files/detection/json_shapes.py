"""Finds where the records of a JSON document are: one pass over all of it, in bounded memory."""

import re
import shlex
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Literal

import ijson

from producers.files.alike import names_alike
from producers.files.detection.json_columns import are_maps, find_columns, has_two_levels
from producers.files.detection.json_pages import Pages
from producers.files.detection.nested_records import Which, which_are_hospitals
from producers.files.errors import FileError
from producers.files.parts import Evidence, evidence, is_of_others
from producers.files.readers.envelopes import KEYS_OF_RECORDS
from producers.files.readers.text import TextSource

_DEEPEST = 100
# Where ArcGIS names the system of its coordinates, by number, and the numbers of those in degrees.
_ESRI_SYSTEMS = (["spatialReference", "wkid"], ["spatialReference", "latestWkid"])
_DEGREES = re.compile(r"(?:10)?4[0-9]{3}")
_DESCRIPTIONS = ("columns", "fields", "field")
# What a description of a column calls its name, best first; in a list of names it is "".
_NAMES = ("", "name", "label", "title", "id")
_LISTS_OF_ROWS = frozenset(("rows", "rowSet", "rowset", "data", "values"))
_KEYS_COMPARED = 300
# An object with more is not a list of columns.
_MOST_MAPS = 300
_LONGEST_REASON = 120
Layout = Literal["array", "map", "rows", "values", "nested", "columns"]


@dataclass(slots=True)
class Shape:
    """Where the records are: `records` as in `Dialect`, at most `count` of them, and what else the document says.

    `others` are its other lists, and `unread` those that look like the same list, unless one was wished. `page`
    says that it is one page of a longer list.
    """

    records: str
    count: int
    layout: Layout = "array"
    is_geojson: bool = False
    crs: str = ""
    others: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    page: str = ""


def find_records(source: TextSource, wish: str | None) -> tuple[TextSource, Shape]:
    """Read the whole document and return how to read it and where its records are. `wish` is the user's.

    Raises `FileError` if the document is broken, or has no array of records.
    """
    scan = _Scan(source)
    try:
        scan.read()
    except ijson.JSONError as error:
        if not source.is_python:
            # It may be what Python calls JSON; if not, the message is the same.
            return find_records(replace(source, is_python=True), wish)
        raise FileError(
            source.path,
            f"is broken JSON after record {scan.most()} ({reason_of(error)}); fetch it again, or correct it",
        ) from None
    shape = scan.shape(wish)
    return source, replace(shape, count=scan.rows_of(shape), page=scan.pages.note(shape.count))


def reason_of(error: ijson.JSONError) -> str:
    """Return what is wrong with a document, without what the error quotes of it on further lines."""
    said = error.args[0] if error.args else ""
    # Bytes, if what is quoted was cut within a letter.
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return text.partition("\n")[0].strip()[:_LONGEST_REASON]


class _Scan:
    """Counts the objects in each array, and in each object, by where they are."""

    def __init__(self, source: TextSource) -> None:
        self._source = source
        self._path = source.path
        self._where: list[str] = []  # the keys above, "[]" for an array
        self.objects = Counter[str]()
        self._rows = Counter[str]()
        self._maps = Counter[str]()
        self._scalars = Counter[str]()
        self._documents = 0
        self._values = 0
        self._features = 0
        self._crs = ""
        self._is_topology = False
        self.pages = Pages()
        self._names: dict[str, list[str]] = {}
        self._keys: dict[str, dict[str, None]] = {}

    def most(self) -> int:
        return max(self.objects.values(), default=0)

    def read(self) -> None:
        """Read the document to its end. Raises `ijson.JSONError` if it is broken."""
        with self._source.open_utf8() as stream:
            for event, value in ijson.basic_parse(stream, multiple_values=True, use_float=True):
                self.take(event, value)

    def take(self, event: str, value: object) -> None:
        if event == "map_key":
            self._where[-1] = str(value)
            if self._where[-2:-1] == ["[]"]:
                self._take_key(self._where[:-2])
            elif self._where[-3:-2] == ["[]"] and self._where[-2] in KEYS_OF_RECORDS:
                # That of the record itself, which has something around it.
                self._take_key(self._where[:-3])
        elif event in ("start_map", "start_array"):
            self._begin(event)
            self._where.append("" if event == "start_map" else "[]")
            if len(self._where) > _DEEPEST:
                raise FileError(self._path, f"is nested more than {_DEEPEST} levels deep")
        elif event in ("end_map", "end_array"):
            self._where.pop()
        else:
            self._scalar(event, value)

    def _take_key(self, above: list[str]) -> None:
        keys = self._keys.setdefault(".".join(above), {})
        if len(keys) < _KEYS_COMPARED:
            keys[self._where[-1]] = None

    def _begin(self, event: str) -> None:
        if not self._where:
            self._documents += event == "start_map"
            self._values += 1
        elif self._where[-1] == "[]":
            path = ".".join(self._where[:-1])
            (self.objects if event == "start_map" else self._rows)[path] += 1
        elif event == "start_map":
            self._maps[".".join(self._where[:-1])] += 1

    def _scalar(self, event: str, value: object) -> None:
        if not self._where:
            self._values += 1
        elif self._where[-1] == "[]" and "[]" not in self._where[:-1]:
            self._scalars[".".join(self._where[:-1])] += 1
        if event == "string":
            self._string(str(value))
        elif isinstance(value, int) and self._where in _ESRI_SYSTEMS:
            if _DEGREES.fullmatch(str(value)) is None:
                self._crs = f"EPSG:{value}"
        elif self._where and self._where[0] != "[]":
            self.pages.take(self._where, value)

    def _string(self, value: str) -> None:
        if self._where[-1:] == ["type"] and value == "Feature":
            self._features += 1
        elif self._where == ["type"] and value == "Topology":
            self._is_topology = True
        elif self._where == ["crs", "properties", "name"]:
            self._crs = value
        elif "[]" not in self._where:
            self.pages.take(self._where, value)
        else:
            first = self._where.index("[]")
            key = ".".join(self._where[first + 1 :])
            if first and self._where[first - 1] in _DESCRIPTIONS and key in _NAMES:
                self._names.setdefault(key, []).append(value)

    def rows_of(self, shape: Shape) -> int:
        """Return how many rows will be read: values that are not records are rows, too, which are rejected."""
        if shape.layout == "values":
            return self._values
        if shape.layout in ("array", "rows"):
            return self.objects[shape.records] + self._rows[shape.records] + self._scalars[shape.records]
        return shape.count

    def shape(self, wish: str | None) -> Shape:
        if self._is_topology:
            # Its coordinates may be those of a grid, which look like degrees.
            raise FileError(
                self._path,
                f"is TopoJSON; convert it with: ogr2ogr -f GeoJSON OUT.geojson {shlex.quote(self._path.name)}",
            )
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
        best = max(arrays, key=lambda path: (self._rank(path), arrays[path], -len(path)), default=None)
        if widest is not None and (best is None or rows[widest] > arrays[best]):
            return Shape(widest, rows[widest], "rows", names=self._column_names())
        maps = {path: count for path, count in self._maps.items() if "[]" not in path.split(".")}
        if best is None:
            return self._without_lists(maps)
        within = self._lists_within(best)
        if within:
            return self._nested(max(within, key=lambda path: nested[path]))
        nested |= {path: count for path, count in self._rows.items() if path.rpartition(".")[2] in _LISTS_OF_ROWS}
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

    def _without_lists(self, maps: dict[str, int]) -> Shape:
        """Return where the records are in a document that has no list of objects. Raises `FileError` likewise."""
        if self._documents > 1 and not are_maps(self._source):
            return Shape("", self._documents, "values")
        # Of several documents only the first would be read as columns.
        is_small = self._values == 1 and all(count <= _MOST_MAPS for count in maps.values())
        if is_small and (columns := find_columns(self._source)) is not None:
            return Shape(columns[0], columns[1], "columns")
        by_key = max(maps, key=lambda path: maps[path], default=None)
        if by_key is not None and (above := self._key_of_groups(by_key)) is not None:
            return Shape(f"{above}.*.*".lstrip("."), sum(maps.values()), "map")
        if by_key is not None and maps[by_key] > 1:
            return Shape(f"{by_key}.*".lstrip("."), maps[by_key], "map")
        raise FileError(self._path, "is JSON without a list of records; --records names where they are")

    def _rank(self, path: str) -> int:
        """Return what speaks for a list being that of the hospitals, before its length."""
        found = evidence(path.rpartition(".")[2], self._keys_of_values(path))
        if found is Evidence.OF_OTHERS:
            return found
        has_objects = f"{path}.[]".removeprefix(".") in self._maps
        # A name says little, and in nested objects may be any field.
        return max(found, Evidence.FIELDS if has_objects else Evidence.NAMES)

    def _key_of_groups(self, path: str) -> str | None:
        """Return the key of the objects that have hospitals under keys of their own; `path` is that of one."""
        above = path.rpartition(".")[0] if path else ""
        for wish in dict.fromkeys((above, path)):
            if has_two_levels(self._source, f"{wish}.*".lstrip(".")):
                return wish
        return None

    def _unread(self, read: str) -> list[str]:
        """Return the lists that look like the one that is read."""
        keys = self._keys_of_values(read)
        alike = [
            path
            for path in self.objects
            if "[]" not in path.split(".")
            and not is_of_others(path.rpartition(".")[2])
            and names_alike(keys, self._keys_of_values(path))
        ]
        within = [path for path in self._nested_lists() if self._which(path) == "inner"]
        return [_shown(path) for path in [*alike, *within] if path != read]

    def _nested_lists(self) -> list[str]:
        return [path for path in self.objects if "[]" in path.split(".")[:-1]]

    def _lists_within(self, best: str) -> list[str]:
        """Return the lists of hospitals within the records of a list. Raises `FileError` if that is in doubt."""
        found = {
            path: self._which(path) for path in self._nested_lists() if path.split(".[]")[0] == best or not best
        }
        inner = [path for path, which in found.items() if which == "inner"]
        doubtful = [_shown(path) for path, which in found.items() if which == "doubt"]
        if doubtful and not inner:
            raise FileError(
                self._path,
                f"may have the hospitals in its list at {best or '.'!r}, or in lists within it: name one of them: "
                + " or ".join(f"--records {shlex.quote(it)}" for it in (best or ".", *doubtful)),
            )
        return inner

    def _which(self, path: str) -> Which:
        """Return whether the records of a list within others are the hospitals, or those around them."""
        levels = path.split("[]")
        above = ["[]".join(levels[:count]).removesuffix(".") for count in range(1, len(levels))]
        around = [key for level in above for key in self._keys_of_values(level)]
        return which_are_hospitals(self._source, _shown(path), around, self._keys_of_values(path))

    def _keys_of_values(self, path: str) -> list[str]:
        """Return the keys of the records of a list, without those of lists."""
        inner = f"{path}.[].".removeprefix(".")
        lists = {key for it in self.objects if it.startswith(inner) for key in it[len(inner) :].split(".")}
        return [key for key in self._keys.get(path, ()) if key not in lists]

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
        is_alone = self._values == 1 and path not in found and not self.objects
        if is_alone and (columns := find_columns(self._source)) is not None:
            return Shape(columns[0], columns[1], "columns")
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
