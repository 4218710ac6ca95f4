"""Tables side by side in one sheet: the header has the same names twice, each time for other hospitals."""

from collections.abc import Sequence
from itertools import islice

from producers.files.columns.names import fields_by_name
from producers.files.columns.same_names import original_name
from producers.files.errors import FileError
from producers.files.table import RawRow, Table
from producers.files.words import fold

_ROWS_COMPARED = 200


def refuse_side_by_side(table: Table, *, name_is_chosen: bool) -> None:
    """Raise `FileError` if tables with the same columns stand side by side, and nobody has said which one is meant.

    Each names hospitals, and other ones: a list that is joined with itself has the same names twice.
    """
    blocks = _blocks(table.columns) if table.dialect.header and not name_is_chosen else []
    if len(blocks) < 2:
        return
    named = [at for at, column in enumerate(blocks[0]) if "hospital_name" in fields_by_name(column)]
    rows = list(islice(table.rows(), _ROWS_COMPARED))
    if any(_differ(rows, [block[at] for block in blocks]) for at in named):
        raise FileError(
            table.path,
            f"has {len(blocks)} tables with the same columns side by side; put their rows below one another, "
            "or say which one is meant: --map hospital_name=COLUMN, and so for its other columns",
        )


def _blocks(columns: Sequence[str]) -> list[Sequence[str]]:
    """Divide columns where the name of the first one stands again; empty if the parts have not the same names."""
    names = [fold(original_name(column, number)) for number, column in enumerate(columns, 1)]
    first = next((at for at, name in enumerate(names) if name), len(names))
    starts = [at for at, name in enumerate(names) if name and name == names[first]]
    if not starts:
        return []
    blocks, compared = [], set()
    for start, end in zip(starts, [*starts[1:], len(names)], strict=True):
        # Blank columns stand between the tables.
        last = next(at for at in range(end - 1, start - 1, -1) if names[at])
        blocks.append(columns[start : last + 1])
        compared.add(tuple(names[start : last + 1]))
    return blocks if len(compared) == 1 and len(blocks[0]) > 1 else []


def _differ(rows: Sequence[RawRow], columns: Sequence[str]) -> bool:
    cells = [[str(row.fields.get(column)) for column in columns] for row in rows]
    return 2 * sum(1 for row in cells if len({*row}) == len(row)) > len(cells)
