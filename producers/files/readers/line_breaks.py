"""Finds rows that a line break without quotes has cut in two, where rows may leave out the cells at their end."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from producers.files.table import RawRow

BEGINS, ENDS = (
    "may go on in the next line, which does not look like a row: put a cell with a line break in quotes",
    "does not look like a row, but like the end of the short one above: put a cell with a line break in quotes",
)
"""Why such rows are not used."""

_FEWEST = 5
_Kind = Literal["number", "digits", "words"]


def without_halves(rows: Iterable[RawRow], columns: Sequence[str]) -> Iterator[RawRow]:
    """Yield the rows, those that seem to be halves of one with that as their problem.

    The second half does not begin like the rows above, but with it the short row before it would be like them.
    Where all rows have as many cells as the header, halves are too short, and need no such judgement.
    """
    seen: Counter[tuple[int, _Kind]] = Counter()
    short: RawRow | None = None
    for row in rows:
        cells = _filled(row)
        if short is not None:
            if cells and row.problem is None and _is_rest(cells, len(_filled(short)), len(columns), seen):
                short.problem, row.problem = BEGINS, ENDS
            yield short
            short = None
        if row.problem is not None:
            yield row
            continue
        if 0 < len(cells) < len(columns):
            short = row
        else:
            yield row
        seen.update((index, _kind(cell)) for index, cell in enumerate(cells) if cell)
    if short is not None:
        yield short


def _is_rest(cells: Sequence[str], begun: int, width: int, seen: Counter[tuple[int, _Kind]]) -> bool:
    if begun + len(cells) - 1 > width or len(cells) < 2:
        return False
    is_row = _is_like(cells[0], 0, seen)
    return not is_row and all(_is_like(cell, begun + index, seen) for index, cell in enumerate(cells[1:]))


def _is_like(cell: str, column: int, seen: Counter[tuple[int, _Kind]]) -> bool:
    kinds: tuple[_Kind, ...] = ("number", "digits", "words")
    few = sum(seen[column, kind] for kind in kinds) < _FEWEST
    return not cell or few or seen[column, _kind(cell)] > 0


def _filled(row: RawRow) -> list[str]:
    """Return the cells up to the last one that is not empty."""
    cells = [str(cell).strip() for cell in row.fields.values()]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _kind(cell: str) -> _Kind:
    if not any(map(str.isdigit, cell)):
        return "words"
    return "digits" if any(map(str.isalpha, cell)) else "number"
