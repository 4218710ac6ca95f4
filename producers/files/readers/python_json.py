"""JSON as Python and other programs write it: with NaN and Infinity, and integers of more than 64 bits."""

import re
from typing import Protocol

# A string or a number, whole; what follows a string that is not closed yet is not looked at.
_TOKEN = re.compile(
    rb'"(?:[^"\\]|\\.)*"|(?P<none>-?(?:NaN|Infinity))\b|(?P<number>-?\d+(?P<rest>(?:\.\d+)?(?:[eE][+-]?\d+)?))',
    re.DOTALL,
)
_MOST_DIGITS = 18
_STRING_OR_NOT = re.compile(rb'"(?:[^"\\]|\\.)*"|[^"]+|"', re.DOTALL)
_ENDS_TOKEN = re.compile(rb"[,\[\]{}:\s]")


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to so many bytes; nothing at the end."""


class PlainJson:
    """A stream of such JSON as what every parser takes: null for what is not a number, long integers as texts.

    An integer of so many digits is a code, and a number would lose its last ones. `nones` is how many were not
    numbers.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._rest = b""
        self.nones = 0

    def read(self, size: int = -1, /) -> bytes:
        """Return at least one byte, but not as many as `size` says; nothing at the end."""
        if size == 0:
            return b""
        while True:
            chunk = self._stream.read(size)
            data = self._rest + chunk
            end = _last_end(data) if chunk and size > 0 else len(data)
            self._rest = data[end:]
            if end or not chunk:
                return _TOKEN.sub(self._plain, data[:end])

    def _plain(self, found: re.Match[bytes]) -> bytes:
        if found["none"] is not None:
            self.nones += 1
            return b"null"
        number = found["number"]
        if number is not None and not found["rest"] and len(number.lstrip(b"-")) > _MOST_DIGITS:
            return b'"' + number + b'"'
        return found[0]


def _last_end(data: bytes) -> int:
    """Return where the last character is that ends a token, outside strings."""
    end = 0
    for found in _STRING_OR_NOT.finditer(data):
        if found[0] == b'"':
            # A string that goes on in the next block.
            break
        if found[0].startswith(b'"'):
            end = found.end()
        elif (position := max((it.end() for it in _ENDS_TOKEN.finditer(found[0])), default=0)) > 0:
            end = found.start() + position
    return end
