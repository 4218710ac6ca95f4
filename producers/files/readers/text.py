"""The text of a file: its bytes uncompressed and decoded, with the bytes that are not of its encoding marked."""

import codecs
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from producers.files.detection.compression import open_bytes, reading
from producers.files.detection.encodings import Encoding
from producers.files.errors import FileError
from producers.files.readers.python_json import PlainJson
from producers.files.table import Compression

# Bytes outside the encoding become lone surrogates, which `repair` turns into what they probably stand for.
DECODE_ERRORS = "surrogateescape"
# orjson refuses surrogates, so in JSON characters that no text has stand for them until it is parsed.
_SURROGATES, _PRIVATE = 0xDC00, 0x10FF00
_STRAY = re.compile("[\udc80-\udcff\U0010ff80-\U0010ffff]")
_CP1252 = {
    first + byte: bytes((byte,)).decode("cp1252", "ignore") or "\ufffd"
    for first in (_SURROGATES, _PRIVATE)
    for byte in range(0x80, 0x100)
}
_TO_PRIVATE = {_SURROGATES + byte: chr(_PRIVATE + byte) for byte in range(0x80, 0x100)}
_KEPT_TEXT = 2_000
_LONGEST_STRING = 16_000_000


@dataclass(frozen=True, slots=True)
class TextSource:
    """A file of text: where it is and how its bytes are read.

    `is_python`: JSON with NaN, Infinity or integers of more than 64 bits, as Python writes it.
    """

    path: Path
    compression: Compression
    encoding: Encoding
    is_python: bool = False

    @contextmanager
    def open(self) -> Iterator[io.TextIOWrapper]:
        """Open the text without translating line ends, as the csv module requires."""
        with (
            reading(self.path),
            open_bytes(self.path, self.compression) as stream,
            io.TextIOWrapper(stream, encoding=self.encoding.name, errors=DECODE_ERRORS, newline="") as text,
        ):
            yield text

    @contextmanager
    def open_utf8(self) -> Iterator["Utf8Stream | PlainJson"]:
        """Open the text as UTF-8 bytes for a JSON parser, whatever the encoding of the file."""
        with self.open() as text:
            found = self.encoding
            as_is = codecs.lookup(found.name).name == "utf-8" and not found.strays and not found.nuls
            stream = Utf8Stream(self.path, text, as_is=as_is)
            yield PlainJson(stream) if self.is_python else stream

    def head(self, characters: int) -> str:
        """Return the first characters of the text, without a byte order mark, NULs and DOS's end of file."""
        with self.open() as text:
            return text.read(characters).removeprefix("\ufeff").replace("\0", "").replace("\x1a", "")


def repair(fields: Mapping[str, object]) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return the cells with each stray byte read as cp1252, and the columns that had one."""
    repaired = tuple(column for column, cell in fields.items() if isinstance(cell, str) and _STRAY.search(cell))
    cells = dict(fields)
    for column in repaired:
        cells[column] = str(fields[column]).translate(_CP1252)
    return cells, repaired


def without_surrogates(line: str) -> str:
    """Return a line of JSON in which the stray bytes do not stop the parser; `repair` knows them even so."""
    return line.translate(_TO_PRIVATE) if _STRAY.search(line) else line


def shortened(line: str) -> str:
    """Return the start of a line that cannot be read, as it is kept and shown."""
    return line[:_KEPT_TEXT].rstrip("\r\n").translate(_CP1252)


class Utf8Stream:
    """The text as UTF-8 for a JSON parser. Refuses a string without end, which the parser would keep in memory."""

    def __init__(self, path: Path, text: io.TextIOWrapper, *, as_is: bool) -> None:
        self._path, self._text, self._as_is = path, text, as_is
        self._since_quote = 0
        self._begun = False

    def read(self, size: int = -1) -> bytes:
        """Return up to so many bytes or characters; nothing at the end."""
        block = bytes(self._text.buffer.read(size)) if self._as_is else _encoded(self._text.read(size))
        if block and not self._begun:
            block = block.removeprefix(b"\xef\xbb\xbf")
            self._begun = True
        self._since_quote = 0 if b'"' in block else self._since_quote + len(block)
        if self._since_quote > _LONGEST_STRING:
            raise FileError(self._path, f"contains a value of more than {_LONGEST_STRING:,} bytes")
        return block


def _encoded(text: str) -> bytes:
    return text.replace("\0", "").translate(_CP1252).encode("utf-8", "replace")
