"""Words that people and programs write where a value is not known, in many languages.

Only whole cells are compared, never parts: "Unknown Soldier Hospital" is a name. The words are data, in
`placeholders.toml`.
"""

import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Literal

PlaceholderKind = Literal["unknown", "none", "short"]
"""`unknown`: the value is not known. `none`: there is none, which is an answer in a field of yes and no. `short`:
not known, or a name or a code (None is a town in Italy, NA the code of Namibia and of Naples)."""

LONGEST_PLACEHOLDER = 30
"""No placeholder has more characters; longer text need not be looked up."""

# Accents, and the vowel points of Arabic and Hebrew. The vowel signs of Indic scripts and of Thai stay in words.
_MARKS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670]+")
_BETWEEN_WORDS = re.compile("(?:(?![\u0900-\u0eff\u1000-\u109f\u1780-\u17ff])[\\W_])+")
# What programs for statistics write for "not known", in a column of any kind.
_NO_NUMBER = re.compile(r"-9{3,6}(?:\.0+)?")
# Not 999999 or 11111111: either may identify a hospital. If it does not, the rows that share it differ and
# are in collision.
_NO_IDENTIFIER = re.compile(r"0+(\.0+)?|-0*[19]+(\.0+)?")


def word_key(text: str) -> str:
    """Return the form in which words are compared: no case, accents or punctuation, one blank between words."""
    if text.isascii():
        text = text.lower()
    else:
        text = unicodedata.normalize("NFKC", _MARKS.sub("", unicodedata.normalize("NFKD", text).casefold()))
        # The lower case of a Turkish capital I; Turkish in capitals is often typed without it.
        text = text.replace("\u0131", "i")
    return _BETWEEN_WORDS.sub(" ", text).strip()


@cache
def _kinds() -> dict[str, PlaceholderKind]:
    table = _table()
    kinds: dict[str, PlaceholderKind] = {}
    order: tuple[PlaceholderKind, ...] = ("none", "unknown", "short")
    for kind in order:
        kinds.update((word_key(word), kind) for word in table[kind])
    return kinds


@cache
def _beginnings() -> frozenset[str]:
    """Return the first three characters of all words, and of words that begin with fewer letters than that."""
    return frozenset(key[:3] for key in _kinds())


@cache
def _exact() -> frozenset[str]:
    return frozenset(_table()["exact"])


@cache
def _table() -> dict[str, list[str]]:
    # Not at the import: the parser takes a tenth of what a producer's own modules take.
    import tomllib  # noqa: PLC0415

    return tomllib.loads(files(__package__).joinpath("placeholders.toml").read_text("utf-8"))


def placeholder_kind(text: str) -> PlaceholderKind | None:
    """Return what kind of placeholder the text is as a whole, or None if it is a value.

    Text without any letter or digit, such as `-` or `?`, is `unknown`, as is empty text.
    """
    if len(text) > LONGEST_PLACEHOLDER:
        return None
    # Nearly all text is recognised by its first and last characters, in a tenth of the time. No word ends with a
    # digit.
    if text[-1:].isdigit():
        return "unknown" if text[0] == "-" and _NO_NUMBER.fullmatch(text) else None
    beginning = text[:3]
    if beginning.isascii() and beginning.isalnum() and beginning.lower() not in _beginnings():
        return None
    key = word_key(text)
    if not key:
        return "unknown"
    kind = _kinds().get(key)
    if kind in (None, "short") and text.strip().lower() in _exact():
        return "unknown"
    return kind


def is_placeholder_identifier(text: str) -> bool:
    """Return whether the text cannot be an identifier: a placeholder, 0, -1 or -999."""
    kind = placeholder_kind(text)
    if kind == "short":
        # A list of states may identify them by ND and SD.
        return word_key(text) in _table()["short_identifiers"]
    text = text.strip()
    return kind is not None or (text[:1] in ("0", "-") and _NO_IDENTIFIER.fullmatch(text) is not None)
