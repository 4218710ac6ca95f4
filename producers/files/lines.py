"""Physical lines, numbered from 1, of bounded length, that can be given back."""

from collections import deque
from collections.abc import Iterator
from typing import TextIO

MAX_ROW_LENGTH = 1_000_000
"""Characters of one row. The contract's longest possible record is a tenth of it."""

MAX_ROW_LINES = 500
"""Lines of one row. An open quote swallows the lines behind it, which are then read again one by one: without a
bound, a file with a stray quote in each line would take the square of its length."""


class RowTooLong(Exception):
    """A row is longer than `MAX_ROW_LENGTH`, or of more than `MAX_ROW_LINES` lines."""


class NumberedLines(Iterator[str]):
    """An iterator over a text's lines that remembers those of the row being read."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._returned: deque[str] = deque()
        self._row: list[str] = []
        self._row_length = 0
        self._number = 0

    def begin_row(self) -> None:
        """Forget the lines of the row before."""
        self._row = []
        self._row_length = 0

    @property
    def first_number(self) -> int:
        """The number of the row's first line."""
        return self._number - len(self._row) + 1

    @property
    def first_line(self) -> str:
        """The row's first line."""
        return self._row[0]

    def give_back(self, keep: int) -> None:
        """Hand the lines of the row out again, all but the first `keep`.

        An open quote swallows the lines behind it: the line that holds it is to blame, the others are not.
        """
        self._returned.extendleft(reversed(self._row[keep:]))
        self._number -= len(self._row) - keep
        del self._row[keep:]

    def __next__(self) -> str:
        """Return the next line with its line end. Raises `RowTooLong`."""
        line = self._returned.popleft() if self._returned else self._read()
        if not line:
            raise StopIteration
        self._number += 1
        if self._number == 1:
            line = line.removeprefix("\ufeff")
        self._row.append(line)
        self._row_length += len(line)
        if self._row_length > MAX_ROW_LENGTH or len(self._row) > MAX_ROW_LINES:
            raise RowTooLong
        return line

    def _read(self) -> str:
        line = self._text.readline(MAX_ROW_LENGTH + 1)
        if len(line) > MAX_ROW_LENGTH:
            # What is kept is still too long, so that it is refused again if it is given back.
            rest = line
            while len(rest) > MAX_ROW_LENGTH and not rest.endswith("\n"):
                rest = self._text.readline(MAX_ROW_LENGTH + 1)
        return line
