"""Finds text that was encoded as UTF-8 twice: `ClÃ­nica` for `Clínica`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from producers.files.detection.judging import words_of
from producers.files.detection.letters import languages

# What each byte beyond ASCII became when it was read as cp1252 or, where that has none, as Latin-1.
_BYTES = {bytes((byte,)).decode("latin-1"): byte for byte in range(0x80, 0x100)} | {
    character: byte for byte in range(0x80, 0xA0) if (character := bytes((byte,)).decode("cp1252", "ignore"))
}
_BEYOND = re.compile(r"[^\x00-\x7f]+")
_MARGIN = 8.4
_MOST_WORDS = 100


@dataclass(frozen=True, slots=True)
class Twice:
    """Words that were encoded twice: one of them as it is and as it was. `all`: no other text contradicts it.

    `latin_1`: the first decoding was that of Latin-1, not of cp1252.
    """

    word: str
    was: str
    all: bool
    latin_1: bool


def encoded_twice(lines: Sequence[bytes]) -> Twice | None:
    """Return what in these lines of UTF-8 was encoded twice, if it is text of a language only without that."""
    words = list(dict.fromkeys(word for line in lines for word in words_of(line.decode("utf-8", "replace"))))
    repaired = {word: was for word in words if (was := _once(word)) is not None}
    if not repaired:
        return None
    sample = list(repaired.items())[:_MOST_WORDS]
    if sum(map(_cost, [word for word, _ in sample])) - sum(map(_cost, [was for _, was in sample])) < _MARGIN:
        return None
    word, was = max(sample, key=lambda it: len(it[1]))
    latin_1 = all(character <= "\xff" for word in repaired for character in word)
    return Twice(word, was, len(repaired) == len(words), latin_1)


def _once(word: str) -> str | None:
    """Return the word without the second encoding; None if any character of it cannot come from that."""
    try:
        return _BEYOND.sub(lambda run: bytes(map(_BYTES.__getitem__, run[0])).decode("utf-8"), word)
    except (KeyError, UnicodeDecodeError):
        return None


def _cost(word: str) -> float:
    return min(language.cost(word) for language in languages().values())
