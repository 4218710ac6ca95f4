"""Which names are those of offices of an administration: a ministry of health, a health department."""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

from producers.files.words import fold, names_a_hospital, word_set

_WORDS_KEPT = 5_000


def is_office(name: str) -> bool:
    """Return whether a name begins or ends with that of an office, and has no word for a hospital besides."""
    # First what is fast, because this runs for every row of a file.
    if not name.isascii() and not _joined_letters().isdisjoint(name):
        text = fold(name)
        if any(word in text for word in word_set("offices_joined")):
            return not names_a_hospital(name)
    words = name.split()
    if not words or not (_edges_of(words[0])[0] or _edges_of(words[-1])[1]):
        return False
    text = fold(name)
    first, last = text.split()[0], text.split()[-1]
    for office in (*_by_first_word().get(first, ()), *_by_last_word().get(last, ())):
        if text == office:
            return True
        if text.startswith(f"{office} ") or text.endswith(f" {office}"):
            return not names_a_hospital(f" {text} ".replace(f" {office} ", " ", 1))
    return False


@lru_cache(maxsize=_WORDS_KEPT)
def _edges_of(word: str) -> tuple[bool, bool]:
    """Return whether names of offices begin with the word, and whether they end with it."""
    tokens = fold(word).split() or [""]
    return tokens[0] in _by_first_word(), tokens[-1] in _by_last_word()


@cache
def _by_first_word() -> Mapping[str, Sequence[str]]:
    return _by_word(0)


@cache
def _by_last_word() -> Mapping[str, Sequence[str]]:
    return _by_word(-1)


def _by_word(position: int) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for office in sorted(word_set("offices")):
        found.setdefault(office.split()[position], []).append(office)
    return found


@cache
def _joined_letters() -> frozenset[str]:
    """Return the letters with which the names of offices begin in languages that join words."""
    return frozenset(word[0] for word in word_set("offices_joined"))
