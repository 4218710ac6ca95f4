"""Whether two lists of a file, such as the sheets of two regions, are parts of one list of hospitals."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from producers.files.columns.names import fields_by_name
from producers.files.shapes import Shape, shapes
from producers.files.words import fold

_ENOUGH_SHARED = 3
_USUAL = 0.8


def names_alike(columns: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether a list with the columns `others` goes on with the hospitals of one that has `columns`.

    They are the same columns, or the others name hospitals and share several, or half, by name or by field. A
    legend of codes and names shares fewer.
    """
    if {*map(fold, columns)} == {*map(fold, others)}:
        return True
    if not any("hospital_name" in fields_by_name(column) for column in others):
        return False
    known = {key for column in columns for key in _keys(column)}
    shared = sum(1 for column in others if not known.isdisjoint(_keys(column)))
    half = (max(len(columns), len(others)) + 1) // 2
    return shared >= min(_ENOUGH_SHARED, half)


def cells_alike(rows: Sequence[Sequence[object]], others: Sequence[Sequence[object]]) -> bool:
    """Return whether the cells of two tables without comparable headers look alike, column by column."""
    ours, theirs = _usual_shapes(rows), _usual_shapes(others)
    filled = [(one, other) for one, other in zip_longest(ours, theirs) if one or other]
    return len(ours) == len(theirs) > 1 and all(one and other and one & other for one, other in filled)


def _keys(column: str) -> Iterable[str]:
    yield f"={fold(column)}"
    found = fields_by_name(column)
    least = min((match.cost for match in found.values()), default=0)
    yield from (field for field, match in found.items() if match.cost == least)


def _usual_shapes(rows: Sequence[Sequence[object]]) -> list[frozenset[Shape]]:
    """Return for each column the shapes that nearly all of its filled cells have."""
    found = []
    for cells in zip_longest(*rows, fillvalue=None):
        filled = [cell for cell in cells if cell is not None and cell != ""]
        counts = Counter(shape for cell in filled for shape in shapes(cell))
        found.append(frozenset(shape for shape, count in counts.items() if count >= _USUAL * len(filled)))
    while found and not found[-1]:
        found.pop()
    return found
