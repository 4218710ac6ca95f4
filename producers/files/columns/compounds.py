"""Reads names of columns of languages that write words together: 编制床位数 is 床位数 with a word in front."""

from collections.abc import Iterator

from producers.files.columns.name_table import name_table
from producers.files.columns.readings import readings

_JOINED_COST = 3
# The rest of a name that is not known may mean anything, so any other column comes first.
_UNKNOWN_COST = 25
_SHORTEST = 2
_FIRST_WITHOUT_SPACES = "\u0e00"
_FIRST_OF_EAST_ASIA = "\u2e80"
# What a hospital has only one of, whatever stands in front of its name.
_PLACES = frozenset(("address", "city", "county", "state", "postal_code", "phone", "latitude", "longitude"))


def fields_of_compound(column: str) -> dict[str, int]:
    """Return the fields that the known part of a compound names, and the cost of each.

    Words of `joined`, such as 编制 (authorised), may stand on either side of any field's name but the hospital's.
    In front of a place or a telephone number, at the end of a name in Chinese, Japanese or Korean, may be any words
    but those of `whose`, such as 法人 (legal person).
    """
    found: dict[str, int] = {}
    keys = {reading.key: reading.cost for reading in readings(column) if not reading.part}
    for key, cost in keys.items():
        if not any(character >= _FIRST_WITHOUT_SPACES for character in key):
            continue
        for field, its_cost in _matches(key):
            found[field] = min(found.get(field, its_cost + cost), its_cost + cost)
    return found


def _matches(key: str) -> Iterator[tuple[str, int]]:
    table = name_table()
    bare = _without_joined(key)
    fields = table.fields.get(bare, {})
    if fields and bare != key:
        for field, cost in fields.items():
            if field != "hospital_name":
                yield field, cost + _JOINED_COST
        return
    if min(key) < _FIRST_OF_EAST_ASIA or any(word in key for word in table.words["whose"]):
        return
    for start in range(1, len(key) - _SHORTEST + 1):
        fields = table.fields.get(key[start:], {})
        if fields:
            yield from ((field, cost + _UNKNOWN_COST) for field, cost in fields.items() if field in _PLACES)
            return


def _without_joined(key: str) -> str:
    words = sorted(name_table().words["joined"], key=len, reverse=True)
    shorter = True
    while shorter and key not in name_table().fields:
        shorter = False
        for word in words:
            if key != word and (key.startswith(word) or key.endswith(word)):
                key = key.removeprefix(word) if key.startswith(word) else key.removesuffix(word)
                shorter = True
                break
    return key
