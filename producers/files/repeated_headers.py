"""Finds rows that name the columns: headers of pages or lists that were put together, and the tags of HXL.

HXL (the Humanitarian Exchange Language, hxlstandard.org) puts a row of tags such as `#loc +name` below the header.
"""

import re
from collections.abc import Iterator, Mapping

from producers.files.columns.names import fields_by_name
from producers.files.table import REJECT_COLUMNS, RawRow, Table

REPEATS_HEADER = "repeats the header"
IN_OTHER_WORDS = "names the columns in other words, as a second header does"
HAS_TAGS = "has the tags of the columns (HXL)"
"""Why such rows are no hospitals."""

# Cells that name the field of their column.
_ENOUGH_NAMES, _LONGEST_NAME = 3, 80
_TAG = re.compile(r"#[a-z][a-z0-9_]*(?: ?\+ ?[a-z0-9_]+)*")


def rows_of(table: Table) -> Iterator[RawRow]:
    """Yield the rows of a table; one that names the columns has that as its problem. Raises `FileError`.

    The first row may be a second header, in another language. A row repeats the header if each filled cell has the
    name of its column, apart from case and white space; it has tags if each of two or more filled cells is a tag.
    """
    names = {column: _word(column) for column in table.columns} if table.dialect.header else {}
    first = table.dialect.header
    for row in table.rows():
        if row.problem is None:
            row.problem = _problem(row.fields, names) or (
                IN_OTHER_WORDS if first and _names_the_same(row.fields) else None
            )
        first = False
        yield row


def _names_the_same(fields: Mapping[str, object]) -> bool:
    """Return whether several cells of a row name what their columns name, in other words, and none has a digit."""
    same = 0
    for column, cell in fields.items():
        text = str(cell or "")
        if any(map(str.isdigit, text)):
            return False
        if text and column not in REJECT_COLUMNS and len(text) <= _LONGEST_NAME:
            same += not fields_by_name(column).keys().isdisjoint(fields_by_name(text))
    return same >= _ENOUGH_NAMES


def _problem(fields: Mapping[str, object], names: Mapping[str, str]) -> str | None:
    # In nearly every row the first filled cell differs.
    found = False
    for column, cell in fields.items():
        # A row to correct has a line and a reason besides, which are not the list's own cells.
        if cell is None or cell == "" or column in REJECT_COLUMNS:
            continue
        word = _word(str(cell))
        if not word:
            continue
        if not found and word.startswith("#"):
            return HAS_TAGS if _has_tags(fields) else None
        name = names.get(column)
        # The second of two columns of one name is called "name (3)".
        if name is None or (word != name and not (name.startswith(f"{word} (") and name.endswith(")"))):
            return None
        found = True
    return REPEATS_HEADER if found else None


def _has_tags(fields: Mapping[str, object]) -> bool:
    words = [
        _word(str(cell)) for column, cell in fields.items() if cell is not None and column not in REJECT_COLUMNS
    ]
    filled = [word for word in words if word]
    return len(filled) > 1 and all(map(_TAG.fullmatch, filled))


def _word(text: str) -> str:
    # A quoted name may have the byte order mark of a text that was joined to another.
    return " ".join(text.replace("\ufeff", "").split()).casefold()
