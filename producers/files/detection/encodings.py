"""Detects the encoding of a file from all its bytes, or refuses and shows how it reads in the plausible ones."""

import codecs
import io
import re
import unicodedata
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

from producers.files.detection.encoded_twice import remark_on_twice
from producers.files.detection.judging import Reading, judge, rivals_of
from producers.files.detection.sampling import BLOCK, Bytes, count_bytes, sample_lines
from producers.files.detection.shown_readings import shown
from producers.files.detection.utf_7 import refuse_utf_7
from producers.files.errors import FileError

# How much likelier, in nats, the best reading must be than the next: e to the 8.4th is about 4,000 to 1.
_MARGIN = 8.4
_BETTER_THAN_NOTHING, _WORDS_FOR_NOTHING = 1.0, 4  # nats for each word but so many
# How unlikely each byte beyond ASCII may be, in nats. Text of the known languages costs 2.3 to 4.2; the more words,
# the closer to 3. Text in an unknown encoding costs more in all others.
_MOST_PER_BYTE, _MOST_PER_BYTE_OF_FEW, _FEW_WORDS = 4.6, 7.0, 6
# UTF-8 that other programs have added a few bytes to; one in two hundred of the characters beyond ASCII at most.
_FEW_STRAYS, _STRAYS_PER_CHARACTER = 3, 0.005
_STRAYS_PER_LINE = 1 / 300
# In another encoding some bytes are valid UTF-8 by chance: in double bytes, one character to seven or more strays.
_MOST_STRAYS_PER_CHARACTER = 4
_FEW_CHARACTERS = 12
_MOST_STRAYS_OF_GIVEN = 0.1
_BINARY, _FEW_CONTROLS = 0.02, 4
_CONTEXT = 20_000
_ASCII_AND_NO_BREAK_SPACE = bytes((*range(128), 0xA0))
# A dash of Windows that stands alone. In the encodings of DOS and Macintosh it is a letter, but a list in one of
# them has others too, and inside of words.
_LONE_DASH = re.compile(rb"(?<![A-Za-z\x80-\x9f\xa1-\xff])[\x96\x97](?![A-Za-z\x80-\x9f\xa1-\xff])")

# Control characters of UTF-8 that were characters of cp1252. In an encoding of double bytes these are rare letters.
_CONTROL_OF_CP1252 = re.compile(rb"\xc2[\x80-\x9f]")
_PADDING = re.compile(rb"\0+(?=[\r\n,;\t|\"\x1a]|\Z)")


class Opener(Protocol):
    """Opens the bytes of the file, again and again."""

    def __call__(self) -> AbstractContextManager[BinaryIO]:
        """Return a context with a new stream of all bytes."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """The encoding of a file. `strays` are bytes in it that it does not have, `nuls` NUL characters in its text.

    `seems_utf8`: the user has named another, although the bytes are valid UTF-8 beyond ASCII. `remark`: what
    a person should look at, because the text may be wrong.
    """

    name: str
    lines: int
    strays: int = 0
    nuls: int = 0
    seems_utf8: bool = False
    remark: str = ""


def detect_encoding(path: Path, opener: Opener, wish: str | None, usual: str | None = None) -> Encoding:
    """Read all bytes and return their encoding; `wish` is the one that the user has named.

    `usual` is that of an earlier delivery of the list. It decides unless the bytes show that one of the two is
    Unicode and the other is not. Raises `FileError` for a binary file, an unknown `wish`, and text of which two
    readings are plausible.
    """
    for name in filter(None, (wish, usual)):
        check_encoding(path, name)
    with opener() as stream:
        counts = count_bytes(stream)
    if not counts.size:
        raise FileError(path, "is empty")
    if wish is not None:
        found = _given(path, opener, counts, wish)
        return replace(found, seems_utf8=_is_utf8(counts) and not is_unicode(wish))
    found = _detected(path, opener, counts) if usual is None else _as_before(path, opener, counts, usual)
    if found.name == "utf-8" and counts.characters:
        with opener() as stream:
            return replace(found, remark=remark_on_twice(path, sample_lines(stream, counts.blocks)))
    return found


def is_unicode(encoding: str) -> bool:
    """Return whether an encoding is UTF-8, UTF-16 or UTF-32."""
    return codecs.lookup(encoding).name.startswith("utf-")


def _is_utf8(counts: Bytes) -> bool:
    return counts.mark == "utf-8" or bool(counts.characters and not counts.strays)


def _as_before(path: Path, opener: Opener, counts: Bytes, usual: str) -> Encoding:
    try:
        found = _detected(path, opener, counts)
    except FileError:
        # What was known of the whole list may be in doubt for this delivery.
        if is_unicode(usual) and counts.strays > _MOST_STRAYS_PER_CHARACTER * counts.characters:
            raise
        return _given(path, opener, counts, usual)
    if found.name == "utf-8" and not counts.mark and counts.characters <= counts.strays:
        # ASCII, but for a few bytes at most, says nothing.
        has_changed = is_unicode(usual) and not codecs.lookup(usual).name.startswith("utf-8")
    else:
        has_changed = is_unicode(found.name) or is_unicode(usual)
    return found if has_changed else _given(path, opener, counts, usual)


def _detected(path: Path, opener: Opener, counts: Bytes) -> Encoding:
    unicode = counts.mark if counts.mark != "utf-8" else ""
    unicode = unicode or _wide_without_mark(counts)
    if unicode:
        lines, strays, _ = _decode_all(opener, unicode)
        if strays:
            raise FileError(path, f"looks like {unicode}, but {strays} characters of it are broken; fetch it again")
        return Encoding(unicode, lines)
    nuls = sum(counts.nuls)
    if counts.controls + min(nuls, _not_padding(counts.head)) > max(_FEW_CONTROLS, _BINARY * counts.size):
        raise FileError(path, "is a binary file of no kind known here; export it as CSV in UTF-8")
    if counts.mark == "utf-8":
        return Encoding("utf-8", counts.lines, counts.strays, nuls)
    if counts.escapes and not counts.characters and not counts.strays:
        return Encoding("iso2022_jp", counts.lines)
    if not counts.characters and not counts.strays:
        refuse_utf_7(path, counts.head)
    # Few characters may be valid UTF-8 by chance.
    is_by_chance = 0 < counts.characters <= _FEW_CHARACTERS and not _has_controls_of_cp1252(opener, counts)
    if not counts.strays and not is_by_chance:
        return Encoding("utf-8", counts.lines, nuls=nuls)
    return _judged(path, opener, counts, nuls)


def _has_controls_of_cp1252(opener: Opener, counts: Bytes) -> bool:
    with opener() as stream:
        return any(map(_CONTROL_OF_CP1252.search, sample_lines(stream, counts.blocks)))


def check_encoding(path: Path, encoding: str) -> None:
    """Raise `FileError` if Python knows no text encoding of this name."""
    try:
        # The wrapper refuses codecs that are not for text; decoding zero bytes would not even look up the name.
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        codecs.getincrementaldecoder(encoding)
    except LookupError:
        raise FileError(
            path, f"cannot be read as {encoding!r}: no such text encoding; try utf-8, cp1252 or utf-16"
        ) from None


def _given(path: Path, opener: Opener, counts: Bytes, wish: str) -> Encoding:
    try:
        lines, strays, nuls = _decode_all(opener, wish)
    except UnicodeError as error:
        raise FileError(path, f"cannot be decoded as {wish} ({error}); give another --encoding") from None
    if strays > max(_FEW_STRAYS, counts.size * _MOST_STRAYS_OF_GIVEN):
        raise FileError(path, f"is not {wish}: {strays:,} of {counts.size:,} bytes do not exist in that encoding")
    return Encoding(wish, lines, strays, nuls)


def _wide_without_mark(counts: Bytes) -> str:
    """Return UTF-16 or UTF-32 if the NUL bytes stand where these have them, and the text then reads as text."""
    nuls, quarter = counts.nuls, counts.size / 4
    if counts.size % 2 or sum(nuls) < max(1, 0.02 * quarter):
        return ""
    if not counts.strays and counts.controls <= _FEW_CONTROLS and sum(nuls) < quarter:
        # Text of single bytes, in which some program has left a few.
        return ""
    even, odd = nuls[0] + nuls[2], nuls[1] + nuls[3]
    found = ""
    if not counts.size % 4 and min(nuls[2:]) > 0.95 * quarter and nuls[0] < 0.1 * quarter:
        found = "utf-32-le"
    elif not counts.size % 4 and min(nuls[:2]) > 0.95 * quarter and nuls[3] < 0.1 * quarter:
        found = "utf-32-be"
    # Korean has syllables whose other half is a NUL byte.
    elif odd > 4 * even:
        found = "utf-16-le"
    elif even > 4 * odd:
        found = "utf-16-be"
    return found if found and _is_text(counts.head.decode(found, "replace")) else ""


def _not_padding(head: bytes) -> int:
    """Return how many NUL bytes are not at the end of a cell, a line or the file: there, they only fill it up."""
    return _PADDING.sub(b"", head).count(0)


def _is_text(text: str) -> bool:
    strange = sum(1 for character in text if unicodedata.category(character) in ("Cc", "Cn", "Co"))
    return strange - sum(map(text.count, "\t\r\n")) <= max(1, _BINARY * len(text))


def _judged(path: Path, opener: Opener, counts: Bytes, nuls: int) -> Encoding:
    with opener() as stream:
        lines = sample_lines(stream, counts.blocks)
    is_utf8_possible = counts.strays <= counts.characters
    beyond = _LONE_DASH.sub(b"", b"\n".join(lines)).translate(None, _ASCII_AND_NO_BREAK_SPACE)
    if lines and not beyond and not is_utf8_possible:
        # A DOS encoding has a letter in place of the no-break space, but a list in it would have others too.
        return _confirmed(path, opener, Reading("cp1252", []), nuls)
    # Without the first line, because headers are often in English.
    header, _, body = counts.head.partition(b"\n")
    share = _share_beyond_ascii(body, lines, counts.lines)
    readings = judge(lines, body[:_CONTEXT], share, header[:_CONTEXT])
    if not counts.characters:
        readings.sort(key=_cost_beside_nothing)
    best = readings[0]
    if not counts.strays:
        utf8 = next(reading for reading in readings if reading.encoding == "utf-8")
        if utf8.cost - best.cost < _MARGIN:
            return Encoding("utf-8", counts.lines, nuls=nuls)
    # A few bytes say nothing against UTF-8 if the file has characters of it, or is long.
    if best.encoding == "utf-8" and (counts.characters or counts.strays <= counts.lines * _STRAYS_PER_LINE):
        allowed = max(_FEW_STRAYS, _STRAYS_PER_CHARACTER * (counts.characters + counts.strays))
        if counts.strays <= allowed:
            return Encoding("utf-8", counts.lines, counts.strays, nuls)
    if best.encoding == "utf-8" and counts.strays <= _MOST_STRAYS_PER_CHARACTER * counts.characters:
        raise FileError(
            path,
            f"is UTF-8 but for {counts.strays:,} bytes; give --encoding utf-8 to read those as cp1252, "
            "or the encoding that is right: " + shown(lines, readings),
        )
    # UTF-8 of which nothing is valid is not a rival: it is what bytes without meaning cost. The more words there
    # are, the better another reading must be.
    margins = {} if counts.characters else {"utf-8": _better_than_nothing(best)}
    rivals = rivals_of(readings, lambda it: margins.get(it.encoding, _MARGIN))
    most = _MOST_PER_BYTE_OF_FEW if len(best.words) <= _FEW_WORDS else _MOST_PER_BYTE
    uncertain = bool(rivals) or best.per_byte > most or best.encoding == "utf-8"
    if uncertain and best.encoding == "cp1252" and counts.strays <= counts.lines * _STRAYS_PER_LINE:
        # ASCII but for a few bytes. They are read as cp1252, which is likely, and reported, as it is not certain.
        return Encoding("utf-8", counts.lines, counts.strays, nuls)
    if uncertain:
        readings = [it for it in readings if it.encoding not in margins]
        raise FileError(
            path,
            "its encoding is not certain; name the one that reads right with --encoding: " + shown(lines, readings),
        )
    return _confirmed(path, opener, best, nuls)


def _cost_beside_nothing(reading: Reading) -> float:
    """Return what a reading costs. That of UTF-8, of which nothing is valid, is what bytes without meaning cost."""
    return reading.cost - (min(0.0, _better_than_nothing(reading)) if reading.encoding == "utf-8" else 0.0)


def _better_than_nothing(reading: Reading) -> float:
    """Return how much likelier, in nats, a reading must be than bytes without meaning; of few words, less."""
    return min(_MARGIN, (len(reading.words) - _WORDS_FOR_NOTHING) * _BETTER_THAN_NOTHING)


def _share_beyond_ascii(body: bytes, sample: Sequence[bytes], lines: int) -> float:
    """Return the part of the lines that have bytes beyond ASCII, by the start of the file and by the sample."""
    seen = body.replace(b"\r", b"\n").split(b"\n")
    return max(sum(not line.isascii() for line in seen) / len(seen), min(len(sample) / max(lines, 1), 1.0))


def _confirmed(path: Path, opener: Opener, best: Reading, nuls: int) -> Encoding:
    """Decode the whole file, because the sample may miss the bytes that an encoding does not have."""
    found: list[tuple[int, int, str]] = []
    for name in (best.encoding, *best.same):
        lines, strays, _ = _decode_all(opener, name)
        if not strays:
            return Encoding(name, lines, nuls=nuls)
        found.append((strays, lines, name))
    strays, lines, name = min(found)
    if strays > max(_FEW_STRAYS, lines // 1_000):
        raise FileError(
            path,
            f"looks like {name}, but {strays:,} of its bytes do not exist in that encoding; give --encoding {name} "
            "to load the rows without them, or another --encoding",
        )
    return Encoding(name, lines, strays, nuls)


def _decode_all(opener: Opener, encoding: str) -> tuple[int, int, int]:
    """Return the numbers of lines, of bytes that are not of the encoding, and of NUL characters."""
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
    line_feeds = returns = strays = nuls = 0
    last = ""
    with opener() as stream:
        while True:
            block = stream.read(BLOCK)
            text = decoder.decode(block, final=not block)
            line_feeds += text.count("\n")
            returns += text.count("\r")
            nuls += text.count("\0")
            if not text.isascii() and not _is_clean(text):
                strays += sum("\udc80" <= character <= "\udcff" for character in text)
            last = text[-1:] or last
            if not block:
                return max(line_feeds, returns) + (last not in "\r\n"), strays, nuls


def _is_clean(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
