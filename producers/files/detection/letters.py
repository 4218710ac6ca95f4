"""How likely a word is in each of some forty languages, from the frequencies of letters and of pairs of letters.

The data (`letters.json`) is one table per language: for alphabets the cost of each letter after each other one, for
Chinese, Japanese and Korean the cost of the frequent characters. `python -m tests.letters` makes it from the names
of the Unicode CLDR and of Faker, and from the usual words of hospital lists. A cost is the negative natural
logarithm of a probability, in quarter steps, written as one digit to the base of 62.
"""

import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from producers.files.detection.signs import COSTS

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_STEP = 0.25
_CJK = ("HAN", "KANA", "HANGUL")
_DOTLESS, _DOTTED_CAPITAL = "\u0131", "\u0130"
# Costs of characters that a language does not write itself. They are estimates: what matters is their order.
_ASCII_LETTER = 5.0
_SAME_SCRIPT = 7.5
_OTHER_SCRIPT = 11.0
_PUNCTUATION = (
    dict.fromkeys("\u2019\u2018\u2013\u00a0\u2014\u201c\u201d", 5.0)
    | dict.fromkeys(
        "\u00ba\u00aa\u00b0\u2116\u00ae\u2122\u00a9\u00bd\u00bc\u00a3\u20ac\u00a7\u00ab\u00bb\u201e\u201a\u2026\u2022\u00b7\u200c\u00ad\u00b4",
        7.0,
    )
    | {"\u00b6": 11.0}
)
_ARABIC_PUNCTUATION = dict.fromkeys("\u060c\u061b\u061f", 6.0)
_FULL_WIDTH_CODES = (*range(0x3000, 0x3020), *range(0xFF01, 0xFF10), 0xFF1A, 0xFF1B, 0xFF5E, 0x30FB, 0x30FC)
_FULL_WIDTH = dict.fromkeys(map(chr, _FULL_WIDTH_CODES), 5.5)
_CATEGORIES = {"M": 9.0, "N": 9.0, "P": 8.5, "S": 11.0, "Z": 9.0, "C": 16.0}
_STRAY = 8.0  # a byte that the encoding does not have, as `surrogateescape` decodes it
_OUT_OF_PLACE = 6.0
_OPENING = "\u201c\u2018\u201e\u201a\u00ab\u00bf\u00a1\u00a0"
_NEVER_INSIDE = "\u201c\u201d\u201e\u201a\u00ab\u00bb\u2022\u2026\u2018\u2013\u2014\u2116\u00b6"
_ORDINALS = "\u00ba\u00aa\u00b0"
_LIGATURES = "\ufb01\ufb02"  # only typesetters write them, though Macintosh's encoding has them
_ABBREVIATED = "NMD"  # N\u00ba, M\u00aa and D\u00aa, which a word may follow without a blank


@cache
def script_of(character: str) -> str:
    """Return the script of a letter, such as `LATIN`, `CYRILLIC` or `HAN`, and "" for anything else."""
    if character in _ORDINALS or not (character.isalpha() or unicodedata.category(character).startswith("M")):
        return ""
    name = unicodedata.name(character, "")
    first = name.partition(" ")[0]
    if first == "CJK":
        return "HAN"
    if first in ("HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"):
        return "KANA"
    if name.startswith("HALFWIDTH KATAKANA"):
        return "HALFWIDTH"
    if first in ("COMBINING", "MODIFIER", "FEMININE", "MASCULINE", "MICRO"):
        return ""
    return first or "UNKNOWN"


@dataclass(slots=True)
class Alphabet:
    """The pairs of letters of a language. `costs[a][b]` is that of `b` after `a`; a space stands for the edges."""

    script: str
    costs: Mapping[str, Mapping[str, float]]

    def cost(self, word: str) -> float:
        """Return how unlikely the word is, in nats."""
        costs, total, before = self.costs, 0.0, " "
        edge = costs[" "]
        has_dotless = _DOTLESS in costs
        for index, character in enumerate(word):
            # Python makes two characters of it, as no other language but Turkish and Azerbaijani has it.
            letter = "i" if has_dotless and character == _DOTTED_CAPITAL else character.lower()
            row = costs.get(before, edge)
            known = row.get(letter) if letter != " " else None
            if known is None:
                total += foreign(word, index, self.script)
            else:
                total += known
            before = letter
        return total + costs.get(before, edge)[" "]


@dataclass(slots=True)
class Ideographs:
    """The frequent characters of Chinese, Japanese or Korean, and the sets of those that are rarer and rarer."""

    frequent: Mapping[str, float]
    levels: tuple[tuple[frozenset[str], float], ...]
    scripts: tuple[str, ...]
    script: str = "HAN"
    _known: dict[str, float] = field(default_factory=dict)

    def cost(self, word: str) -> float:
        """Return how unlikely the word is, in nats."""
        return sum(self._character(word, index) for index in range(len(word)))

    def _character(self, word: str, index: int) -> float:
        character = word[index]
        cost = self.frequent.get(character)
        if cost is None:
            cost = next((cost for level, cost in self.levels if character in level), None)
        if cost is None:
            cost = _FULL_WIDTH.get(character)
        if cost is None:
            cost = 16.0 if script_of(character) in self.scripts else foreign(word, index, self.script)
        return cost


Language = Alphabet | Ideographs


def foreign(word: str, index: int, script: str) -> float:
    """Return the cost of a character that the language, of this script, does not write itself."""
    character = word[index]
    if character.isascii():
        return _ASCII_LETTER
    if character in COSTS:
        return COSTS[character]
    before, after = word[index - 1 : index] if index else "", word[index + 1 : index + 2]
    if character in _ORDINALS:
        return 13.0 if before.isalpha() and before not in _ABBREVIATED and after.isalpha() else 7.0
    found = script_of(character)
    if found:
        return _SAME_SCRIPT if found == script else _OTHER_SCRIPT
    out_of_place = before.isalpha() and after.isalpha() and not _may_be_inside(character, script)
    # A word does not begin with a symbol and a small letter: there, the symbol was a capital letter.
    out_of_place = out_of_place or (not before and after.islower() and character not in _OPENING)
    return _symbol(character, script) + (_OUT_OF_PLACE if out_of_place else 0.0)


def _may_be_inside(character: str, script: str) -> bool:
    if character in _PUNCTUATION:
        return character not in _NEVER_INSIDE
    is_mark = unicodedata.category(character).startswith(("P", "S", "N"))
    return not is_mark or script in _CJK or unicodedata.name(character, "").startswith(script)


def _symbol(character: str, script: str) -> float:
    cost = _STRAY if "\udc80" <= character <= "\udcff" else _PUNCTUATION.get(character)
    if cost is None and script == "ARABIC":
        cost = _ARABIC_PUNCTUATION.get(character)
    if cost is None and script in _CJK:
        cost = _FULL_WIDTH.get(character)
    if cost is None and ("\u3000" <= character <= "\u33ff" or "\ufe30" <= character <= "\uff5e"):
        cost = 8.0
    return _CATEGORIES.get(unicodedata.category(character)[0], 11.0) if cost is None else cost


def shape(word: str) -> float:
    """Return the cost of how a word is written, whatever its language: scripts and cases that change in it."""
    cost, before, run = 0.0, "", 0
    for character in word:
        if before:
            one, other = script_of(before), script_of(character)
            if one and other and one != other and not (one in ("HAN", "KANA") and other in ("HAN", "KANA")):
                cost += 4.0 if one in _CJK and other in _CJK else 6.0
            elif before.islower() and character.isupper():
                cost += 5.0
            elif run > 1 and character.islower() and before.isupper():
                cost += 3.0
        if character in _LIGATURES:
            cost += 4.0
        run = run + 1 if character.isupper() else 0
        before = character
    return cost


@cache
def languages() -> Mapping[str, Language]:
    """Return the languages by their code. The tables are read on first use."""
    tables = json.loads(files(__package__).joinpath("letters.json").read_text(encoding="utf-8"))
    return {code: _language(code, table) for code, table in tables.items()}


def _language(code: str, table: Mapping[str, str]) -> Language:
    if "letters" not in table:
        frequent = dict(zip(table["characters"], map(_cost, table["costs"]), strict=True))
        levels, scripts = _LEVELS[code]()
        return Ideographs(frequent, levels, scripts)
    letters = table["letters"]
    costs = {
        letter: dict(zip(letters, map(_cost, row), strict=True))
        for letter, row in zip(letters, table["bigrams"], strict=True)
    }
    return Alphabet(script_of(letters[len(letters) // 2]), costs)


def _cost(digit: str) -> float:
    return _DIGITS.index(digit) * _STEP


def _characters(encoding: str, first: int, last: int, trails: range) -> frozenset[str]:
    """Return what the double bytes with these lead bytes stand for."""
    found = set()
    for lead in range(first, last + 1):
        for trail in trails:
            text = bytes((lead, trail)).decode(encoding, "ignore")
            if len(text) == 1:
                found.add(text)
    return frozenset(found)


Levels = tuple[tuple[tuple[frozenset[str], float], ...], tuple[str, ...]]


# The standards order the characters by how often they are used: those of the first level make up nearly all of any
# text, so that a text in the wrong encoding is known by its many characters of the second.
def _simplified() -> Levels:
    trails = range(0xA1, 0xFF)
    levels = ((_characters("gb2312", 0xB0, 0xD7, trails), 10.3), (_characters("gb2312", 0xD8, 0xF7, trails), 12.6))
    return levels, ("HAN",)


def _traditional() -> Levels:
    trails = range(0x40, 0xFF)
    return ((_characters("big5", 0xA4, 0xC6, trails), 10.6), (_characters("big5", 0xC9, 0xF9, trails), 13.5)), (
        "HAN",
    )


def _japanese() -> Levels:
    trails = range(0xA1, 0xFF)
    half_width = frozenset(map(chr, range(0xFF66, 0xFFA0)))
    levels = (
        (_characters("euc_jp", 0xB0, 0xCF, trails), 10.1),
        (half_width, 6.0),
        (_characters("euc_jp", 0xD0, 0xF4, trails), 12.7),
    )
    return levels, ("HAN", "KANA", "HALFWIDTH")


def _korean() -> Levels:
    trails = range(0xA1, 0xFF)
    levels = (
        (_characters("euc_kr", 0xB0, 0xC8, trails), 9.9),
        (_characters("euc_kr", 0xCA, 0xFD, trails), 13.8),
    )
    return levels, ("HANGUL", "HAN")


_LEVELS: Mapping[str, Callable[[], Levels]] = {
    "zh_hans": _simplified,
    "zh_hant": _traditional,
    "ja": _japanese,
    "ko": _korean,
}
