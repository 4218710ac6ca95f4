"""Which part of a file, such as a sheet of a workbook or a list in a JSON document, is the list of hospitals.

Lists of doctors, towns or pharmacies are often longer than that of the hospitals beside them, so what a part is
called, and what its columns are called, decides before its length.
"""

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum
from functools import lru_cache

from producers.files.columns.names import WEAK_COST, fields_by_name, identifier_cost
from producers.files.words import fold, names_a_hospital, word_set

_OWN_NAME = 20
_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)(?!\d)")
_SEVERAL_FIELDS = 2
_FEW_DIFFERENT = 0.5
_FEWEST_NAMES = 6
_OFTEN = 0.3
_FEWEST_OF_DICTIONARY = 2


class Evidence(IntEnum):
    """What speaks for a part being the list of hospitals; more is better."""

    OF_OTHERS = 0
    """It is called a list of people, places or explanations, or its columns explain columns."""
    NO_NAMES = 1
    """No column is called a name, or its names repeat, as in monthly figures."""
    NAMES = 2
    """A column is called a name."""
    FIELDS = 3
    """Other columns are fields of hospitals, too."""
    OF_HOSPITALS = 4
    """Also, it is called a list of hospitals, or its names are called so."""


def evidence(part: str, columns: Sequence[str], names: Sequence[object] = ()) -> Evidence:
    """Return what speaks for a part of this name with these columns; `names` are cells of `name_column`."""
    at = name_column(columns)
    is_own = at is not None and fields_by_name(columns[at])["hospital_name"].cost < _OWN_NAME
    if _explains_columns(columns) or (is_of_others(part) and not is_own):
        return Evidence.OF_OTHERS
    texts = [fold(str(name)) for name in names if name is not None and name != ""]
    if at is None or (len(texts) >= _FEWEST_NAMES and len({*texts}) < _FEW_DIFFERENT * len(texts)):
        return Evidence.NO_NAMES
    if is_of_others(part):
        return Evidence.NAMES
    others = {_field(column) for index, column in enumerate(columns) if index != at} - {None, "hospital_name"}
    called_so = texts and sum(map(names_a_hospital, texts)) >= _OFTEN * len(texts)
    if is_own or is_of_hospitals(part) or called_so:
        return Evidence.OF_HOSPITALS
    return Evidence.FIELDS if len(others) >= _SEVERAL_FIELDS else Evidence.NAMES


def name_column(columns: Sequence[str]) -> int | None:
    """Return the index of the column that is best called the name of a hospital, or None."""
    found = (fields_by_name(column).get("hospital_name") for column in columns)
    costs = [(match.cost, at) for at, match in enumerate(found) if match is not None and match.cost <= WEAK_COST]
    return min(costs)[1] if costs else None


def newest(part: str) -> int:
    """Return the year in the name of a part, 0 if there is none."""
    return max((int(year) for year in _YEAR.findall(part)), default=0)


def is_of_others(part: str) -> bool:
    """Return whether a part is called a list of people, places, explanations or other things than hospitals."""
    return _is_called(part, "lists_of_others")


def is_of_hospitals(part: str) -> bool:
    """Return whether a part is called a list of hospitals."""
    return _is_called(part, "lists_of_hospitals")


@lru_cache(maxsize=1_000)
def _is_called(part: str, kind: str) -> bool:
    # The name alone: a sheet "Municipality of Aveda" or "Contacts of hospitals" may have hospitals.
    beside = word_set("beside_names_of_lists")
    name = fold(_YEAR.sub(" ", part))
    bare = " ".join(word for word in name.split() if word not in beside)
    return not word_set(kind).isdisjoint((name, bare))


def _explains_columns(columns: Iterable[str]) -> bool:
    names = [name for name in map(fold, columns) if name]
    explaining = sum(name in word_set("columns_of_dictionaries") for name in names)
    return explaining >= _FEWEST_OF_DICTIONARY and 2 * explaining > len(names)


def _field(column: str) -> str | None:
    found = fields_by_name(column)
    best = min(found, key=lambda field: found[field], default=None)
    return best or ("external_id" if identifier_cost(column) is not None else None)
