"""Numbered physical lines of limited length, which a reader can push back to read them again."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TextIO

MAX_ROW_LENGTH = 1_000_000
"""The most characters of one row. The longest record that the contract allows is a tenth of it."""

MAX_ROW_LINES = 500
"""The most lines of one row. An open quote swallows the lines after it, which are then read again one by one.
Without a limit, the time for a file with a stray quote in each line would grow with the square of its length."""


_MARK = "\ufeff"


class RowTooLong(Exception):
    """A row is longer than `MAX_ROW_LENGTH` or has more than `MAX_ROW_LINES` lines."""


class NumberedLines(Iterator[str]):
    """An iterator over the lines of a text, numbered from 1. It remembers the lines of the current row.

    NUL characters, with which some programs fill up cells, are left out, and so are the mark of DOS for the end of
    a file and byte order marks: a text that was put together from several has one at the start of each.
    """

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._pushed_back: deque[str] = deque()
        self._row: list[str] = []
        self._row_length = 0
        self._number = 0

    def begin_row(self) -> None:
        """Start a new row: forget the lines of the previous one."""
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

    @property
    def row(self) -> Sequence[str]:
        """The lines of the current row so far."""
        return self._row

    @property
    def is_one_line(self) -> bool:
        """Whether the current row has no more than one line so far."""
        return len(self._row) == 1

    def skip(self, count: int) -> None:
        """Skip so many lines, however long."""
        for _ in range(count):
            self.begin_row()
            try:
                next(self)
            except StopIteration:
                return
            except RowTooLong:
                continue

    def push_back(self, keep: int) -> None:
        """Push back the lines of the row, except the first `keep`, so that they are read again.

        An open quote swallows the lines after it, although only the line with the quote is invalid.
        """
        self._pushed_back.extendleft(reversed(self._row[keep:]))
        self._number -= len(self._row) - keep
        del self._row[keep:]

    def __next__(self) -> str:
        """Return the next line with its line end. Raises `RowTooLong`."""
        line = self._pushed_back.popleft() if self._pushed_back else self._read()
        if not line:
            raise StopIteration
        self._number += 1
        if line[0] == _MARK:
            line = line[1:]
        if "\0" in line or "\x1a" in line:
            line = line.replace("\0", "").replace("\x1a", "")
        self._row.append(line)
        self._row_length += len(line)
        if self._row_length > MAX_ROW_LENGTH or len(self._row) > MAX_ROW_LINES:
            raise RowTooLong
        return line

    def _read(self) -> str:
        line = self._text.readline(MAX_ROW_LENGTH + 1)
        if len(line) > MAX_ROW_LENGTH:
            # Skip the rest. The part that is kept is still too long, so it is refused again if it is pushed back.
            rest = line
            while len(rest) > MAX_ROW_LENGTH and not rest.endswith(("\n", "\r")):
                rest = self._text.readline(MAX_ROW_LENGTH + 1)
        return line
