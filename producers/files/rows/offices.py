"""A note on rows that are called like offices of an administration: a ministry of health, a health department."""

from functools import cache, lru_cache

from producers.files.values import FileRow
from producers.files.words import fold, names_a_hospital, word_set

_WORDS_KEPT = 50_000
# The first letter of the scripts that join words.
_THAI = "\u0e00"


class Offices:
    """Counts the rows with a record that are called like an office. They are loaded: some of these run a clinic."""

    def __init__(self) -> None:
        self._count = 0
        self._first = ""

    def take_in(self, row: FileRow) -> None:
        """Take one row."""
        name = row.known.get("hospital_name") if row.known is not None else None
        if isinstance(name, str) and is_office(name):
            self._count += 1
            self._first = self._first or f"{name[:40]!r} in line {row.line}"

    def notes(self) -> list[str]:
        """Return what a person should know: one sentence if there are such names."""
        if not self._count:
            return []
        are = "1 row is" if self._count == 1 else f"{self._count:,} rows are"
        note = (
            f"{are} called like an office of an administration and loaded as a hospital, first {self._first}; "
            "take out of the list what is no hospital"
        )
        return [note]


def is_office(name: str) -> bool:
    """Return whether a name begins or ends with that of an office, and has no word for a hospital besides."""
    # First what is fast, because this runs for every row of a file.
    if max(name, default="") >= _THAI and any(word in fold(name) for word in word_set("offices_joined")):
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
