"""Folds names and places more loosely than identities do, for looking up hospitals that are written otherwise.

Two lists may write one name with other quotation marks, dashes, accents or letters of a keyboard. What is folded
here is compared, never stored: an identity keeps these differences.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import product

from worker.contract.identity import normalise_name

# Regular expressions do not count the vowel signs of India and south-east Asia as letters.
_NO_WORD = re.compile("(?:[\u0964\u0965\u0970_]|[^\\w\u0900-\u0dff\u0e00-\u109f\u1780-\u17ff\u3099\u309a])+")
# Accents and signs of vowels that writers leave out. The vowels of Indian scripts and Japanese voicing are letters.
_ACCENTS = re.compile("[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u0640\u064b-\u0655\u0670]")
# Within a word, or after its short form: "Mary's", "St.".
_IN_WORDS = re.compile(r"[.'`\u00b4\u02b9\u02bc\u2018\u2019\u201b\u2032\uff07\u05f3\u05f4]")
# Folding keeps the Turkish letters apart: capitals lose whether an i has a dot, and a capital I with one keeps it.
_DOTLESS, _DOTTED = "\u0131", "\u0130"
_TURKISH_UPPER = {ord("i"): _DOTTED, ord(_DOTLESS): "I"}
_TURKISH_LOWER = {ord(_DOTTED): "i", ord("I"): _DOTLESS}
# Letters with a stroke, which Unicode does not take apart, and those that Arabic and Persian keyboards swap.
_ARABIC = {"\u0649": "\u064a", "\u06cc": "\u064a", "\u06a9": "\u0643"}
_LETTERS = str.maketrans({_DOTLESS: "i", "ø": "o", "ł": "l", "đ": "d", "ħ": "h", **_ARABIC})
_TO_ARABIC = str.maketrans(_ARABIC)
_TO_PERSIAN = str.maketrans({"\u0649": "\u06cc", "\u064a": "\u06cc", "\u0643": "\u06a9"})
_HAS_SWAPPED = re.compile("[\u0643\u0649\u064a\u06a9\u06cc]")
_LAST_YA = re.compile("\u064a\\b")
_MOST_LAST_YAS = 4
# Quotation marks that MongoDB takes for symbols, not for punctuation.
_ODD_QUOTES = re.compile("[`\u00b4]")
_AND = ("and", "und", "et", "y", "e", "en", "og", "och", "ve", "a", "i", "ja", "si", "и", "та", "й", "και")
_IS_AND = frozenset((*_AND, "n")).__contains__
_AMPERSAND = re.compile(r"\s*[&+]\s*")


# A list has few places, and its names are compared with those of a chunk.
@lru_cache(maxsize=50_000)
def folded_words(text: str) -> tuple[str, ...]:
    """Return the words of a text so that case, accents, quotation marks, dashes and dots make no difference."""
    text = normalise_name(text).translate(_LETTERS)
    if not text.isascii():
        text = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", text)))
        text = text.translate(_LETTERS)
    return tuple(word for word in _NO_WORD.split(_IN_WORDS.sub("", text)) if word)


def name_key(name: str) -> str:
    """Return what is equal in two forms of a name, which may also write its words apart, or `&` for "and"."""
    words = folded_words(name)
    inner = [word for word in words[1:-1] if not _IS_AND(word)]
    key = ""
    for word in (*words[:1], *inner, *words[1:][-1:]):
        # 1 and 2 are not 12.
        key += f" {word}" if key[-1:].isdigit() and word[0].isdigit() else word
    return key or normalise_name(name)


def spellings(name: str) -> set[str]:
    """Return the forms of a name to ask MongoDB for.

    Its index compares letters without case, accents, blanks and punctuation (`worker.mongo.schema.NAMES`), so
    these forms differ in what is more than that: `&` and "and", and letters of Turkish and Arabic.
    """
    found = {name}
    if _ODD_QUOTES.search(name):
        found.add(_ODD_QUOTES.sub("'", name))
    if _DOTLESS in name or _DOTTED in name:
        words = [word[:1] + word[1:].translate(_TURKISH_LOWER).lower() for word in name.split(" ")]
        found |= {name.translate(_TURKISH_UPPER).upper(), " ".join(words), name.replace(_DOTLESS, "i")}
    if _HAS_SWAPPED.search(name):
        found |= _arabic_spellings(name)
    if _AMPERSAND.search(name):
        found |= {_AMPERSAND.sub(f" {word} ", name) for word in ("", *_AND)}
    elif inner := [word for word in name.split()[1:-1] if _IS_AND(word.casefold())]:
        # The index does not see an ampersand.
        found |= {name.replace(f" {word} ", " ") for word in inner}
    return found


def _arabic_spellings(name: str) -> set[str]:
    arabic = name.translate(_TO_ARABIC)
    # Some write the last ya of a word without dots.
    parts = _LAST_YA.split(arabic)
    if len(parts) > _MOST_LAST_YAS + 1:
        return {arabic, name.translate(_TO_PERSIAN), _LAST_YA.sub("\u0649", arabic)}
    endings = product("\u064a\u0649", repeat=len(parts) - 1)
    ended = {"".join(part + end for part, end in zip(parts, (*each, ""), strict=True)) for each in endings}
    return {*ended, name.translate(_TO_PERSIAN)}
