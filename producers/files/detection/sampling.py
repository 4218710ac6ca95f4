"""What is in the bytes of a file as a whole: counts over all of them, and a sample of lines spread over it."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

BLOCK = 1 << 18
# UTF-32 comes first, because its little-endian mark begins with the one of UTF-16.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = bytes(byte for byte in range(0x20) if byte not in b"\0\t\n\r\f\x0b\x1a\x1b\x1c\x1d\x1e\x1f")
_LINES = 400
_LONGEST = 2_000
# A line that is too long is cut before bytes that are never the second half of a double byte.
_PIECE = re.compile(rb"[\x00-\xff]{1,200}[^ ,;\t\"]{0,1800}")


@dataclass(slots=True)
class Bytes:
    """Counts over all bytes of a file. `characters` and `strays` are those of UTF-8, beyond ASCII."""

    size: int = 0
    mark: str = ""
    head: bytes = b""
    line_feeds: int = 0
    returns: int = 0
    controls: int = 0
    nuls: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    """NUL bytes by their place in groups of four, which tells UTF-16 and UTF-32."""
    characters: int = 0
    strays: int = 0
    blocks: int = 0
    escapes: bool = False
    last: bytes = b""

    @property
    def lines(self) -> int:
        """The number of lines, if line ends are single bytes. Old files use bare carriage returns."""
        return max(self.line_feeds, self.returns) + (self.last not in (b"\n", b"\r"))


def count_bytes(stream: BinaryIO) -> Bytes:
    """Read the stream to its end and count."""
    found = Bytes()
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    pending = False
    for block in _blocks(stream):
        if not found.blocks:
            found.head = block
            found.mark = next((name for mark, name in _BYTE_ORDER_MARKS if block.startswith(mark)), "")
        if 0 in block:
            for place in range(4):
                found.nuls[place] += block[(place - found.size) % 4 :: 4].count(0)
        found.size += len(block)
        found.blocks += 1
        found.line_feeds += block.count(b"\n")
        found.returns += block.count(b"\r")
        found.controls += len(block) - len(block.translate(None, _CONTROLS))
        found.escapes = found.escapes or b"\x1b$" in block
        found.last = block[-1:]
        if pending or not block.isascii():
            _count_beyond_ascii(found, decoder.decode(block))
            pending = bool(decoder.getstate()[0])
    _count_beyond_ascii(found, decoder.decode(b"", final=True))
    return found


def sample_lines(stream: BinaryIO, blocks: int) -> list[bytes]:
    """Return up to a few hundred distinct lines with bytes beyond ASCII, spread evenly over the whole stream.

    `blocks` is how many blocks the stream has, as `count_bytes` found. The first such lines are always among them,
    because a header's words weigh more than any row's. Of a line that is too long, each piece is a line: a document
    of JSON may be one line, and a row may have a long geometry before its name.
    """
    found: dict[bytes, None] = {}
    quota = max(2, _LINES // max(blocks, 1))
    for number, block in enumerate(_blocks(stream)):
        # Until something is found every block counts, because a sample of nothing says nothing.
        if found and blocks > _LINES and number % (blocks // _LINES + 1):
            continue
        if block.isascii():
            continue
        # Lines that the block cuts in two are left out, except where the block is all there is.
        lines = block.replace(b"\r", b"\n").split(b"\n")
        inner = lines[number > 0 : len(lines) - (blocks > 1)]
        if all(line.isascii() for line in inner):
            inner = lines
        beyond = [piece for line in inner if not line.isascii() for piece in _pieces(line)]
        step = max(1, len(beyond) // quota)
        chosen = beyond[:3] + beyond[3::step] if number == 0 else beyond[step // 2 :: step]
        found.update(dict.fromkeys(chosen[: quota + 3]))
    return list(found)


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    while block := stream.read(BLOCK):
        yield block


def _count_beyond_ascii(found: Bytes, text: str) -> None:
    if text.isascii():
        return
    strays = _count(text, "\udc80", "\udcff")
    found.strays += strays
    found.characters += len(text) - len(text.encode("ascii", "ignore")) - strays


def _count(text: str, first: str, last: str) -> int:
    try:
        text.encode()
    except UnicodeEncodeError:
        return sum(first <= character <= last for character in text)
    return 0


def _pieces(line: bytes) -> list[bytes]:
    if len(line) <= _LONGEST:
        return [line]
    return [piece for piece in _PIECE.findall(line) if not piece.isascii()]
