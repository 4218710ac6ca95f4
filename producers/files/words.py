"""Words in names of columns and in cells: how they are compared, and the lists of `words.toml`."""

import tomllib
import unicodedata
from functools import cache
from importlib.resources import files

# Letters that have no accent to take away, and Arabic and Persian letters that are written in several ways.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "\u0131": "i", "þ": "th", "ħ": "h"}
    | {"ة": "\u0647", "ى": "ي", "ی": "ي", "ک": "ك", "ـ": ""}
)


def fold(text: str) -> str:
    """Return text without case, accents and punctuation, with one blank between words."""
    if text.isascii():
        return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())
    plain = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold().translate(_LETTERS))
    bare = "".join(c for c in plain if unicodedata.category(c) != "Mn")
    return " ".join("".join(c if c.isalnum() else " " for c in unicodedata.normalize("NFC", bare)).split())


def word_set(name: str) -> frozenset[str]:
    """Return a list of `words.toml`, such as "yes_no", folded."""
    return _lists()[name]


def names_a_hospital(value: str) -> bool:
    """Return whether a value contains a word that names of hospitals contain, such as "clinic"."""
    return _contains(value, "in_names")


def names_another_place(value: str) -> bool:
    """Return whether a name is that of a school, a pharmacy or the like, or of a clinic for animals."""
    return _contains(value, "in_names_for_animals") or (
        _contains(value, "in_names_of_others") and not names_a_hospital(value)
    )


def _contains(value: str, words: str) -> bool:
    text = fold(value)
    return not word_set(words).isdisjoint(text.split()) or any(word in text for word in word_set(f"{words}_joined"))


@cache
def _lists() -> dict[str, frozenset[str]]:
    data = tomllib.loads(files(__package__).joinpath("words.toml").read_text("utf-8"))
    return {name: frozenset(fold(word) for word in words) for name, words in data.items()}
