"""Finds header lines that stand among the rows: pages that were put together, lists that were appended."""

from collections.abc import Iterator, Mapping

from producers.files.table import REJECT_COLUMNS, RawRow, Table

REPEATS_HEADER = "repeats the header"
"""Why such a row is no hospital."""


def rows_of(table: Table) -> Iterator[RawRow]:
    """Yield the rows of a table; one that repeats the header has that as its problem. Raises `FileError`.

    It repeats the header if each filled cell has the name of its column, apart from case and white space.
    """
    if not table.dialect.header:
        yield from table.rows()
        return
    names = {column: _word(column) for column in table.columns}
    for row in table.rows():
        if row.problem is None and _repeats(row.fields, names):
            row.problem = REPEATS_HEADER
        yield row


def _repeats(fields: Mapping[str, object], names: Mapping[str, str]) -> bool:
    # In nearly every row the first filled cell differs.
    found = False
    for column, cell in fields.items():
        # A row to correct has a line and a reason besides, which are not the list's own cells.
        if cell is None or cell == "" or column in REJECT_COLUMNS:
            continue
        word = _word(str(cell))
        if not word:
            continue
        name = names.get(column)
        # The second of two columns of one name is called "name (3)".
        if name is None or (word != name and not (name.startswith(f"{word} (") and name.endswith(")"))):
            return False
        found = True
    return found


def _word(text: str) -> str:
    return " ".join(text.split()).casefold()
