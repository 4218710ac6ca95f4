"""Finds text that was encoded as UTF-8 twice: `ClÃ­nica` for `Clínica`."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from producers.files.detection.judging import words_of
from producers.files.detection.letters import languages
from producers.files.errors import FileError

# What each byte beyond ASCII became when it was read as cp1252 or, where that has none, as Latin-1.
_BYTES = {bytes((byte,)).decode("latin-1"): byte for byte in range(0x80, 0x100)} | {
    character: byte for byte in range(0x80, 0xA0) if (character := bytes((byte,)).decode("cp1252", "ignore"))
}
_BEYOND = re.compile(r"[^\x00-\x7f]+")
_MARGIN = 8.4
_MOST_WORDS = 100


@dataclass(frozen=True, slots=True)
class _Twice:
    """Words that were encoded twice: one of them as it is and as it was. `all`: letters were, and no other text
    contradicts it.

    `latin_1`: the first decoding was that of Latin-1, not of cp1252.
    """

    word: str
    was: str
    all: bool
    latin_1: bool


def remark_on_twice(path: Path, lines: Sequence[bytes]) -> str:
    """Return a remark if a part of these lines of UTF-8 was encoded twice. Raises `FileError` if all was."""
    twice = _encoded_twice(lines)
    if twice is None:
        return ""
    if not twice.all:
        return f"some of its text was encoded twice before and is read as it is: {twice.word!r} was {twice.was!r}"
    once = "LATIN1" if twice.latin_1 else "CP1252"
    raise FileError(
        path,
        f"was encoded as UTF-8 twice: {twice.word!r} was {twice.was!r}; undo that, for example with: "
        f"iconv -f UTF-8 -t {once} {shlex.quote(path.name)} > OUT, and load OUT; --encoding utf-8 leaves it so",
    )


def _encoded_twice(lines: Sequence[bytes]) -> _Twice | None:
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
    has_letters = any(not it.isascii() and it.isalpha() for was in repaired.values() for it in was)
    return _Twice(word, was, has_letters and len(repaired) == len(words), latin_1)


def _once(word: str) -> str | None:
    """Return the word without the second encoding; None if any character of it cannot come from that."""
    try:
        return _BEYOND.sub(lambda run: bytes(map(_BYTES.__getitem__, run[0])).decode("utf-8"), word)
    except (KeyError, UnicodeDecodeError):
        return None


def _cost(word: str) -> float:
    return min(language.cost(word) for language in languages().values())
