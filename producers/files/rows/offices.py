"""Which names are those of offices of an administration: a ministry of health, a health department."""

from functools import cache, lru_cache

from producers.files.words import fold, names_a_hospital, word_set

_WORDS_KEPT = 50_000
# The first letter of the scripts that join words.
_THAI = "\u0e00"


def is_office(name: str) -> bool:
    """Return whether a name begins or ends with that of an office, and has no word for a hospital besides."""
    # First what is fast, because this runs for every row of a file.
    if not name.isascii() and max(name) >= _THAI and any(word in fold(name) for word in word_set("offices_joined")):
        return not names_a_hospital(name)
    words = name.split()
    if not words or not (_is_edge(words[0]) or _is_edge(words[-1])):
        return False
    text = fold(name)
    for office in word_set("offices"):
        if text == office:
            return True
        if text.startswith(f"{office} ") or text.endswith(f" {office}"):
            return not names_a_hospital(f" {text} ".replace(f" {office} ", " ", 1))
    return False


@lru_cache(maxsize=_WORDS_KEPT)
def _is_edge(word: str) -> bool:
    tokens = fold(word).split()
    return bool(tokens) and (tokens[0] in _edges() or tokens[-1] in _edges())


@cache
def _edges() -> frozenset[str]:
    return frozenset(edge for office in word_set("offices") for edge in (office.split()[0], office.split()[-1]))
