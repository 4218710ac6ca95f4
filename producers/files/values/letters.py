"""Letters of hemispheres that mean another one elsewhere: K is north in Turkish (kuzey), east in Hungarian (kelet).

S is north (sever) in Croatian or Czech, if I or V stands for east beside it. So all letters of the coordinates of a
file together show the language.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

Letters = Mapping[str, str]
"""N, S, E or W by the letters that stand for them."""

NO_LETTERS: Letters = MappingProxyType({})
EITHER_O: Letters = MappingProxyType({"O": "W", "o": "W"})
"""For what does not depend on the side that an O is on."""

LANGUAGES: Sequence[Letters] = (
    {"K": "N", "G": "S", "D": "E", "B": "W"},  # Turkish
    {"É": "N", "K": "E"},  # Hungarian
    {"S": "N", "J": "S", "I": "E", "Z": "W"},  # Croatian, Slovenian
    {"S": "N", "J": "S", "V": "E", "Z": "W"},  # Czech, Slovak
    {"B": "N", "Đ": "E"},  # Vietnamese
)
"""Languages whose letters are not those of English, without letters that none of their places needs."""

# L is leste in Portuguese, and nothing elsewhere.
_ALWAYS: Letters = {"L": "E"}
_USUAL = frozenset("NSEWOL")
_LONGEST = 400
_FRONT, _END = r"(?<![^\s,;/|(\[])", r"(?=[ :]*[0-9])"
_BEHIND, _BEFORE = r"(?<=[0-9°º'\"\u2032\u2033\u2019\u201d.\s])", r"(?![^\s,;/|)\]])"


def alone(letters: str) -> re.Pattern[str]:
    """Return the pattern of letters that stand for a hemisphere, before a number or behind one."""
    return re.compile(f"{_FRONT}(?:{letters}){_END}|{_BEHIND}(?:{letters}){_BEFORE}")


_ANY = alone(r"[^\W\d_]")


def letters_of(latitudes: Iterable[object], longitudes: Iterable[object], positions: Iterable[object]) -> Letters:
    """Return what the letters in samples of coordinates mean, if they are those of a language of `LANGUAGES`.

    `positions` have both coordinates in one cell. Letters that two languages read in two ways have no meaning here.
    """
    north_south, east_west, both = _found(latitudes), _found(longitudes), _found(positions)
    found = north_south | east_west | both
    # V alone is east in Czech and west in Danish.
    if found <= _USUAL or not (north_south or both):
        return NO_LETTERS
    readings = {
        tuple(sorted((letter, language[letter]) for letter in found))
        for language in LANGUAGES
        if found <= language.keys()
        and all(language[letter] in "NS" for letter in north_south)
        and all(language[letter] in "EW" for letter in east_west)
        # The Z of a point with an altitude is not west.
        and (not both or {language[letter] in "NS" for letter in both} == {True, False})
    }
    return dict(readings.pop()) if len(readings) == 1 else NO_LETTERS


def _found(cells: Iterable[object]) -> set[str]:
    texts = (cell[:_LONGEST] for cell in cells if isinstance(cell, str))
    return {letter for text in texts for letter in _ANY.findall(text) if letter.isupper()}


def with_known_letters(text: str, letters: Letters) -> str:
    """Return a text with N, S, E or W for the letters whose meaning is known, and E for L (leste)."""
    return _ANY.sub(lambda it: letters.get(it[0]) or _ALWAYS.get(it[0], it[0]), text)
