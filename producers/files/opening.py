"""Opens a file: one pass detects compression, encoding and the number of lines; then its text can be read.

Because of that pass, a file that is cut off, binary or in another encoding is refused before its first row is sent,
and the progress bar has a total.
"""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from producers.files.errors import FileError

_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK\x03\x04"
_BLOCK = 1 << 18
# UTF-32 comes first, because its little-endian mark begins with the one of UTF-16.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# The encoding of Windows programs that do not write Unicode.
_FALLBACK_ENCODING = "cp1252"
# Bytes outside the encoding become lone surrogates, which the contract refuses: a row is invalid, not the file.
_DECODE_ERRORS = "surrogateescape"


@dataclass(frozen=True, slots=True)
class Survey:
    """The result of the first pass; `lines` is the number of physical lines."""

    path: Path
    compressed: bool
    encoding: str
    lines: int


def survey(path: Path, encoding: str | None = None) -> Survey:
    """Read the whole file once. `encoding` overrides the detected one: by byte order mark, else UTF-8, else cp1252.

    Raises `FileError` for a file that is missing, not regular, unreadable, empty, binary or broken gzip.
    """
    if encoding is not None:
        _check_encoding(path, encoding)
    if path.is_dir():
        raise FileError(path, "is a directory; name a file in it")
    if path.exists() and not path.is_file():
        raise FileError(path, "is not a regular file; save its content to a file first, because it is read twice")
    with reading(path):
        with path.open("rb") as file:
            head = file.read(len(_ZIP_MAGIC))
        if not head:
            raise FileError(path, "is empty")
        if head == _ZIP_MAGIC:
            raise FileError(path, "is a ZIP archive or an Excel workbook; unpack it, or save the sheet as CSV")
        compressed = head.startswith(_GZIP_MAGIC)
        with _open_bytes(path, compressed=compressed) as stream:
            found, lines = _scan(path, stream, encoding)
    return Survey(path, compressed, found, lines)


@contextmanager
def open_text(surveyed: Survey) -> Iterator[io.TextIOWrapper]:
    """Open the file's text without translating line ends, as the csv module requires."""
    with (
        _open_bytes(surveyed.path, compressed=surveyed.compressed) as stream,
        io.TextIOWrapper(stream, encoding=surveyed.encoding, errors=_DECODE_ERRORS, newline="") as text,
    ):
        yield text


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Convert the errors of reading a file to `FileError`."""
    try:
        yield
    except EOFError:
        raise FileError(path, "ends in the middle of its gzip data; fetch it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise FileError(path, f"contains broken gzip data ({error}); fetch it again") from None
    except UnicodeError as error:
        raise FileError(path, f"cannot be decoded ({error}); give another --encoding") from None
    except OSError as error:
        raise FileError(path, f"cannot be read: {error.strerror or error}") from None


def _check_encoding(path: Path, encoding: str) -> None:
    try:
        # The wrapper refuses codecs that are not for text; decoding zero bytes would not even look up the name.
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        codecs.getincrementaldecoder(encoding)
    except LookupError:
        raise FileError(
            path, f"cannot be read as {encoding!r}: no such text encoding; try utf-8, cp1252 or utf-16"
        ) from None


def _open_bytes(path: Path, *, compressed: bool) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if compressed else path.open("rb")


def _scan(path: Path, stream: BinaryIO, encoding: str | None) -> tuple[str, int]:
    block = stream.read(_BLOCK)
    if not block:
        raise FileError(path, "is a gzip file without content")
    marked = next((name for mark, name in _BYTE_ORDER_MARKS if block.startswith(mark)), None)
    certain = bool(encoding or marked)
    found = encoding or marked or "utf-8"
    decoder = codecs.getincrementaldecoder(found)(_DECODE_ERRORS if certain else "strict")
    line_feeds = carriage_returns = 0
    text = ""
    while True:
        try:
            piece = decoder.decode(block, final=not block)
        except UnicodeDecodeError:
            if certain:
                raise
            # Line ends and NUL are the same bytes in both encodings, so the counts so far are still correct.
            certain, found = True, _FALLBACK_ENCODING
            decoder = codecs.getincrementaldecoder(found)(_DECODE_ERRORS)
            piece = decoder.decode(block, final=not block)
        if "\0" in piece:
            line = max(line_feeds, carriage_returns) + piece[: piece.index("\0")].count("\n") + 1
            raise FileError(
                path,
                f"contains a NUL character in line {line}: it is a binary file, or UTF-16 without a byte order "
                "mark (then give --encoding utf-16-le)",
            )
        line_feeds += piece.count("\n")
        carriage_returns += piece.count("\r")
        text = piece or text
        if not block:
            break
        block = stream.read(_BLOCK)
    # Old files use bare carriage returns as line ends. With CR LF both counts are equal.
    return found, max(line_feeds, carriage_returns) + (not text.endswith(("\n", "\r")))
