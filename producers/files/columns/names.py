"""What a column may contain, by its name alone: fields of a record, an identifier, a running number.

The cost of a match says how far a name is from the best name: 10 to 59 for the five levels of precedence of
`names.toml`, with 1 to 9 for words left aside, and `CODE_COST` more for a code.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from producers.files.columns.abbreviations import fields_of_abbreviation
from producers.files.columns.compounds import fields_of_compound
from producers.files.columns.name_table import POSTAL_TOWN, name_key, name_table, name_tokens
from producers.files.columns.readings import Reading, code_of, readings
from producers.files.columns.word_sets import fields_of_word_set
from producers.files.statistics import KeyRole
from worker.contract.comparison import DISTINGUISHING_FIELDS

CODE_COST = 30
"""What a match costs more if the column contains a code of the field, such as "State Code"."""
WEAK_COST = 30
"""From here on a name may as well mean something else."""
_CODED = ("city", "state", "county", "country", "ownership")
_OWN_IDENTIFIER = 10
_NAMES_KEPT = 10_000
_MOST_FOR_FILLERS = 5
_NUMBER = 2
_KEYS_OF_DATABASES = frozenset(("id", "ids", "uid", "uuid", "guid", "key"))
_NUMBERS = frozenset(("nr", "no", "num", "number", "numero", "nummer", "numer", "nomor", "번호", "番号"))
_SHORTEST_PART = 4
_LENGTH_IN_SHAPEFILES = 10
_SHORTEST_TRUNCATED = 8
_TRUNCATED_COST = 5
_TELLING_APART = frozenset((*DISTINGUISHING_FIELDS, "latitude", "longitude"))
# Some programs replace the colons; then only capitals tell "ref_FR_FINESS" from "ref_no_of_ward".
_REFERENCE = re.compile(
    r"(?:[^\s:]+[.:])?ref(?:(?::(?P<country>[A-Za-z]{2}))?:|[_.](?P<capitals>[A-Z]{2})[_.])(?P<name>[^\s]+)"
)
_COUNTS = frozenset(
    (("number", "of"), ("no", "of"), ("num", "of"), ("nr", "of"), ("nb", "de"), ("nbre", "de"), ("nombre", "de"))
)
_SIGNS_OF_NUMBERS = frozenset(("#", "№", "N°", "Nº"))


class NameMatch(NamedTuple):
    """How well a name fits a field; lower costs are better. `code`: the column contains codes of the field."""

    cost: int
    code: bool = False


@lru_cache(maxsize=_NAMES_KEPT)
def fields_by_name(column: str) -> dict[str, NameMatch]:
    """Return the fields that a column of this name may contain, each with its best match."""
    if name_key(column) in name_table().nothing:
        return {}
    found: dict[str, NameMatch] = {}
    for reading in readings(column):
        for field, match in _matches(reading):
            if field == "beds" and reading.fragment and _is_part(column):
                continue
            if field not in found or match < found[field]:
                found[field] = match
    if "hospital_name" in found and not name_table().words["former"].isdisjoint(name_tokens(column)):
        del found["hospital_name"]
    if not found and not names_something_else(column):
        costs = fields_of_compound(column) or fields_of_abbreviation(column)
        found = {field: NameMatch(cost) for field, cost in costs.items()}
    if found.keys() <= {"location"}:
        # "GPS" alone is both coordinates, and "x_gps" one of them.
        found = {field: NameMatch(cost) for field, cost in fields_of_word_set(column).items()} or found
    return found or _fields_of_truncated_name(column)


@lru_cache(maxsize=_NAMES_KEPT)
def identifier_cost(column: str) -> int | None:
    """Return how well a name fits an identifier of hospitals, or None if it does not name one.

    10 to 19: the hospital's own identifier ("Facility ID", "CNES"); from 20: just "id" or "code"; from 30: a code
    that may be anything's; from 40: a number of the company that runs it. A number of the row is none.
    """
    if is_serial(column) or name_key(column) in name_table().nothing or names_a_count(column):
        return None
    reference = _REFERENCE.fullmatch(column.strip())
    if reference is not None and (cost := _cost_as_reference(reference)) is not None:
        return cost
    # What is left of "fax no." would be an identifier.
    certain = readings(column)[:1] if names_something_else(column) else readings(column)
    costs = [cost for reading in certain if (cost := _cost_as_identifier(reading)) is not None]
    if costs:
        return min(costs)
    return None if names_something_else(column) else _cost_as_number_or_code(column)


def _cost_as_number_or_code(column: str) -> int | None:
    tokens = name_tokens(column)
    numbered = _cost_as_licence(column) or _cost_as_number(tokens)
    if numbered is not None:
        return numbered
    rests = tuple(code_of(tokens))
    kind = _kind_of_identifier(tokens)
    # A number of something is as often a count: "sickbed_num".
    if not rests or kind == _NUMBER or fields_by_name(column):
        return None
    return None if not name_table().words["other"].isdisjoint(rests) else WEAK_COST + kind


def _cost_as_reference(reference: re.Match[str]) -> int | None:
    """Return how well OpenStreetMap's `ref:COUNTRY:NAME` or `ref:NAME` fits; NAME is an authority or a register."""
    name = reference["name"]
    if names_something_else(name) or fields_by_name(name):
        return None
    # Which authorities a country has, no table knows.
    unknown = _OWN_IDENTIFIER + _MOST_FOR_FILLERS if reference["country"] or reference["capitals"] else None
    cost = identifier_cost(name)
    return unknown if cost is None else cost


def is_serial(column: str) -> bool:
    """Return whether a name says that the column numbers the rows of one delivery."""
    serials = name_table().serials
    return column.strip() in _SIGNS_OF_NUMBERS or any(
        reading.key in serials for reading in readings(column) if reading.cost <= 1 and not reading.facility
    )


def names_something_else(column: str) -> bool:
    """Return whether a name says that its codes or numbers are those of something else, such as a district."""
    return not name_table().words["other"].isdisjoint(name_tokens(column))


def names_a_count(column: str) -> bool:
    """Return whether a name says that the column counts something: "Number of wards", "Anzahl Ärzte", 医生数."""
    words = name_table().words
    tokens = name_tokens(column)
    if not words["count"].isdisjoint(tokens) or tokens[:2] in _COUNTS:
        return True
    return any(token.endswith(word) and token != word for token in tokens[-1:] for word in words["count_joined"])


def mentions_name(column: str) -> bool:
    """Return whether a name contains a word such as "name"."""
    words = name_table().words["name"] - {"no"}
    return not words.isdisjoint(name_tokens(column))


def role_in_key(column: str) -> KeyRole:
    """Return whether a column may be an identifier by its name, or the other part of a key of two columns."""
    cost = identifier_cost(column)
    found = fields_by_name(column)
    places = (found[field] for field in ("country", "state", "source") if field in found)
    if name_key(column) in name_table().qualifiers or any(match.cost < WEAK_COST for match in places):
        return "qualifier"
    return "identifier" if cost is not None and cost < WEAK_COST + _OWN_IDENTIFIER else "none"


def telling_apart(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that tell hospitals apart by what their names say: name, place, address and position.

    There are none unless both the name and something of the place are among them.
    """
    found = {column: _TELLING_APART & fields_by_name(column).keys() for column in columns}
    fields = set().union(*found.values())
    if "hospital_name" not in fields or len(fields) == 1:
        return ()
    return tuple(column for column, its_fields in found.items() if its_fields)


def _is_part(column: str) -> bool:
    """Return whether only one half of a name in two alphabets means beds: 病床数 ICU are some of them."""
    halves = ("".join(c for c in column if c.isascii()), "".join(" " if c.isascii() else c for c in column))
    if not all(any(map(str.isalpha, half)) for half in halves):
        return False
    return not all("beds" in fields_by_name(half) for half in halves)


def _fields_of_truncated_name(column: str) -> dict[str, NameMatch]:
    """Read the names of shapefiles, which end after ten characters: "TELEPHONE_", "POSTAL_COD"."""
    key = name_key(column)
    if len(column) != _LENGTH_IN_SHAPEFILES or len(key) < _SHORTEST_TRUNCATED:
        return {}
    # "SERVICIOS_" and "SERVICIO_D" may go on as services of any kind.
    if not column[-1].isalnum() or name_tokens(column)[-1] in name_table().words["stop"]:
        return {}
    complete = [
        fields
        for whole, fields in name_table().fields.items()
        # "Postal code" goes on as "postal code and town", but what was cut off is rather nothing.
        if whole.startswith(key) and fields.keys() != POSTAL_TOWN
    ]
    if len({min(fields, key=lambda field: fields[field]) for fields in complete}) != 1:
        return {}
    best = min(complete, key=lambda fields: min(fields.values()))
    return {field: NameMatch(cost + _TRUNCATED_COST) for field, cost in best.items()}


def _matches(reading: Reading) -> Iterator[tuple[str, NameMatch]]:
    fields = name_table().fields
    for field, cost in fields.get(reading.key, {}).items():
        # What is left of "contact name" and "hospital type" would be the hospital's name.
        if field == "hospital_name" and (reading.part or (reading.suffix and cost >= WEAK_COST)):
            continue
        yield field, NameMatch(cost + reading.cost)
    if reading.names_facility:
        yield "hospital_name", NameMatch(_OWN_IDENTIFIER + reading.cost)
    for key in reading.code_of:
        for field, cost in fields.get(key, {}).items():
            if field in _CODED and cost <= WEAK_COST:
                yield field, NameMatch(cost + reading.cost + CODE_COST, code=True)


def _cost_as_identifier(reading: Reading) -> int | None:
    # What is left of "street no" and "POIコード" would be an identifier.
    cost = None if reading.part or reading.fragment else name_table().identifiers.get(reading.key)
    if cost is None:
        return None
    if reading.facility:
        cost = min(cost, _OWN_IDENTIFIER)
    return cost + min(reading.cost, _MOST_FOR_FILLERS) + _kind_of_identifier(reading.tokens)


def _cost_as_licence(column: str) -> int | None:
    """Return how well a name fits what an authority gives a hospital and numbers: "Licence No", "許可番号"."""
    words = name_table().words
    kinds: set[str] = set()
    all_known = True
    for token in name_tokens(column):
        if token not in words["stop"] and token not in words["facility"]:
            parts = _kinds_of_parts(token)
            kinds |= parts
            all_known = all_known and bool(parts)
    if all_known and {"licence", "number"} <= kinds:
        return _OWN_IDENTIFIER + _NUMBER
    # Other words say whose number it is, as in "GST Registration No". "Licence" alone may be its kind or its state.
    if "licence" in kinds and (all_known or "number" in kinds) and not fields_by_name(column):
        return WEAK_COST + _NUMBER
    return None


@lru_cache(maxsize=_NAMES_KEPT)
def _kinds_of_parts(token: str) -> frozenset[str]:
    """Return in which lists of words the parts of "Zulassungsnummer" or 許可番号 are; none if one is unknown."""
    for kind in ("licence", "number", "facility"):
        for word in name_table().words[kind]:
            if token == word:
                return frozenset((kind,))
            # Short words are found in others by chance.
            if token.startswith(word) and (not word.isascii() or len(word) >= _SHORTEST_PART):
                rest = _kinds_of_parts(token[len(word) :])
                if rest:
                    return rest | {kind}
    return frozenset()


def _cost_as_number(tokens: Sequence[str]) -> int | None:
    """Return how well "N° FINESS" fits an identifier if "FINESS" is one."""
    table = name_table()
    costs: list[int] = []
    for number, rest in ((tokens[:1], tokens[1:]), (tokens[-1:], tokens[:-1])):
        if not table.words["number"].isdisjoint(number):
            key = "".join(token for token in rest if token not in table.words["facility"] | table.words["stop"])
            costs += [table.identifiers[key] + _NUMBER] if key in table.identifiers else []
    return min(costs, default=None)


def _kind_of_identifier(tokens: Sequence[str]) -> int:
    # The code of an authority outlasts the key of its database, and a number may only count.
    words = name_table().words["identifier"]
    last = next((token for token in reversed(tokens) if token in words), "")
    if last in _KEYS_OF_DATABASES:
        return 1
    return _NUMBER if last in _NUMBERS else 0
