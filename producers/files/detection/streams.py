"""Uncompresses bzip2 and xz to the end of the file: Python's readers ignore what follows the first stream."""

import bz2
import io
import lzma
from pathlib import Path
from typing import BinaryIO, cast

from producers.files.errors import FileError

_AT_ONCE = 1 << 18


class Streams(io.RawIOBase):
    """The content of all streams in a file, one after the other. Zero bytes between and after them are padding.

    Raises `FileError` at bytes that begin no stream: what a download or a program has broken could be rows.
    """

    def __init__(
        self, path: Path, file: BinaryIO, kind: type[bz2.BZ2Decompressor] | type[lzma.LZMADecompressor]
    ) -> None:
        self._path, self._file, self._kind = path, file, kind
        self._stream: bz2.BZ2Decompressor | lzma.LZMADecompressor = kind()
        self._rest = b""

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: object) -> int:
        """Read some bytes of the content into the buffer and return how many; 0 at the end of the last stream."""
        view = memoryview(cast(bytearray, buffer)).cast("B")
        while True:
            if self._stream.eof and not self._begin_next():
                return 0
            given = b""
            if self._stream.needs_input:
                given = self._rest or self._file.read(_AT_ONCE)
                self._rest = b""
                if not given:
                    raise EOFError
            data = self._uncompressed(given, len(view))
            if data:
                view[: len(data)] = data
                return len(data)

    def _begin_next(self) -> bool:
        rest = self._stream.unused_data.lstrip(b"\0")
        while not rest:
            block = self._file.read(_AT_ONCE)
            if not block:
                return False
            rest = block.lstrip(b"\0")
        self._stream, self._rest = self._kind(), rest
        return True

    def _uncompressed(self, given: bytes, most: int) -> bytes:
        try:
            return self._stream.decompress(given, most)
        except (OSError, lzma.LZMAError) as error:
            raise FileError(self._path, f"contains broken compressed data ({error}); fetch it again") from None
