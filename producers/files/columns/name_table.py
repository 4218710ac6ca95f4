"""The table of names of columns, `names.toml`, with each name in the form in which names are compared."""

import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from producers.files.words import fold

_NOT_FIELDS = (
    "house_number",
    "house_suffix",
    "street_type",
    "areas",
    "none",
    "serial",
    "identifier",
    "qualifier",
    "words",
)
POSTAL_TOWN = frozenset(("city", "postal_code"))
"""The fields of a column that has a postal code and a town."""
_FIRST_OF_EAST_ASIA = "\u2e80"
# Signs that are words.
_SIGNS = str.maketrans({"\u3012": "郵便番号", "\u260e": "tel"})
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


class NameTable(NamedTuple):
    """`fields`: for each name, the fields that it may mean and the cost of each, 10 to 50 by precedence.

    `identifiers`: the same for identifiers. `nothing`: names that mean no field. `serials`: names of running
    numbers. `qualifiers`: names of what may be the other part of a key. `house_numbers`, `house_suffixes` and
    `street_types`: names of parts of an address, and the cost of each. `areas`: of each country, the names of its
    areas from the largest to the smallest. `words`: lists of single words. `phrases`: the names of `fields` that
    have several words, by the number of their words.
    """

    fields: dict[str, dict[str, int]]
    identifiers: dict[str, int]
    nothing: frozenset[str]
    serials: frozenset[str]
    qualifiers: frozenset[str]
    house_numbers: dict[str, int]
    house_suffixes: dict[str, int]
    street_types: dict[str, int]
    areas: tuple[tuple[frozenset[str], ...], ...]
    words: dict[str, frozenset[str]]
    phrases: dict[int, frozenset[tuple[str, ...]]]


@cache
def name_table() -> NameTable:
    """Return the table; it is read once."""
    data = tomllib.loads(files(__package__).joinpath("names.toml").read_text("utf-8"))
    fields: dict[str, dict[str, int]] = {}
    phrases: dict[int, set[tuple[str, ...]]] = {}
    for field, tiers in data.items():
        if field not in _NOT_FIELDS:
            for key, cost in _costs(tiers):
                for its_field in sorted(POSTAL_TOWN) if field == "postal_town" else (field,):
                    fields.setdefault(key, {}).setdefault(its_field, cost)
            for phrase in (name_tokens(name) for names in tiers.values() for name in names):
                phrases.setdefault(len(phrase), set()).add(phrase)
    return NameTable(
        fields,
        _best(data["identifier"]),
        frozenset(key for section in ("none", "street_type") for key, _ in _costs(data[section])),
        frozenset(key for key, _ in _costs(data["serial"])),
        frozenset(key for key, _ in _costs(data["qualifier"])),
        _best(data["house_number"]),
        _best(data["house_suffix"]),
        _best(data["street_type"]),
        tuple(tuple(frozenset(map(name_key, names)) for names in areas) for areas in data["areas"].values()),
        {name: frozenset(map(fold, words)) for name, words in data["words"].items()},
        {length: frozenset(found) for length, found in phrases.items() if length > 1},
    )


def name_tokens(name: str) -> tuple[str, ...]:
    """Split a name into folded words: at punctuation, and where CamelCase or a digit begins a word."""
    text = unicodedata.normalize("NFKC", name).translate(_SIGNS)
    padded = f" {text} "
    split = (
        f" {character}" if _begins_word(padded[position], character, padded[position + 2]) else character
        for position, character in enumerate(text)
    )
    return tuple(fold("".join(split)).split())


def name_key(name: str) -> str:
    """Return the form in which whole names are compared: the folded words, joined."""
    return "".join(name_tokens(name))


def _begins_word(before: str, character: str, after: str) -> bool:
    if character.isupper():
        return before.islower() or before.isdigit() or (before.isupper() and after.islower())
    if before.isalpha() and character.isalpha():
        # FAX番号 and IDコード are two words.
        return (before < _FIRST_OF_EAST_ASIA) != (character < _FIRST_OF_EAST_ASIA)
    return (character.isdigit() and before.isalpha()) or (character.isalpha() and before.isdigit())


def _best(tiers: dict[str, Iterable[str]]) -> dict[str, int]:
    best: dict[str, int] = {}
    for key, cost in _costs(tiers):
        best.setdefault(key, cost)
    return best


def _costs(tiers: dict[str, Iterable[str]]) -> Iterator[tuple[str, int]]:
    for tier, names in tiers.items():
        for name in names:
            for written in {name, name.translate(_UMLAUTS)}:
                yield name_key(written), int(tier) * 10
