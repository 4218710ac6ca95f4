"""Finds quotes that were opened in one row and closed rows later, so that the rows between them became one cell."""

import csv
from collections.abc import Sequence

from producers.files.detection.delimiters import Marks

# Of so many lines, one may be a row with too few or too many cells.
_LINES_PER_MISFIT = 10


def swallows_rows(lines: Sequence[str], marks: Marks, width: int, before: Sequence[str]) -> bool:
    """Return whether the physical lines of one row are whole rows, apart from the quote that holds them together.

    `width` is the number of columns, and `before` the cells of a row above. An address with line breaks may have
    delimiters too, even as many as a row. But there a space comes after each, and lines of it have no number where
    the rows have one.
    """
    if len(lines) < 2 or width < 2:
        return False
    *begin, opened = _cells(lines[0], marks)
    closed, *end = _cells(marks.quote + lines[-1], marks)
    # As if the two quotes were letters.
    inner = [line.rstrip("\r\n") for line in lines[1:-1]]
    swallowed = [text.split(marks.delimiter) for text in (opened, *inner, closed)]
    rows = [[*begin, *swallowed[0]], *swallowed[1:-1], [*swallowed[-1], *end]]
    allowed = len(rows) // _LINES_PER_MISFIT
    whole = [cells for cells in rows if len(cells) == width]
    if len(rows) - len(whole) > allowed or len(rows[0]) != width:
        return False
    if all(not cell or cell[0].isspace() for cells in swallowed for cell in cells[1:]):
        return False
    # What is beside the quotes is text, whatever the rows have there.
    rows[0][len(begin)] = rows[-1][len(swallowed[-1]) - 1] = ""
    numbered = [index for index, cell in enumerate(before[:width]) if _is_number(cell)]
    unlike = sum(any(_is_words(cells[index]) for index in numbered) for cells in whole)
    return unlike <= allowed


def _cells(text: str, marks: Marks) -> list[str]:
    rows = csv.reader(
        [text.rstrip("\r\n")],
        delimiter=marks.delimiter,
        quotechar=marks.quote,
        escapechar=marks.escape or None,
        skipinitialspace=marks.delimiter not in " \t",
    )
    return next(rows, []) or [""]


def _is_number(cell: str) -> bool:
    return len(cell.split()) == 1 and _has_digit(cell)


def _is_words(cell: str) -> bool:
    return bool(cell.strip()) and not _has_digit(cell)


def _has_digit(cell: str) -> bool:
    return any(map(str.isdigit, cell))
