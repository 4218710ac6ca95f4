"""Finds rows that name the columns: headers of pages or lists that were put together, and the tags of HXL.

HXL (the Humanitarian Exchange Language, hxlstandard.org) puts a row of tags such as `#loc +name` below the header.
"""

import re
from collections.abc import Iterator, Mapping

from producers.files.columns.names import fields_by_name
from producers.files.detection.headers import numbers_columns
from producers.files.rows.other_headers import OtherHeaders
from producers.files.rows.second_headers import (
    BELOW_OTHER_HEADER,
    HAS_NUMBERS,
    IN_OTHER_WORDS,
    IS_OTHER_HEADER,
    is_name,
    names_below_header,
    other_header,
)
from producers.files.table import LINE_COLUMN, REJECT_COLUMNS, RawRow, Table, own_cells
from producers.files.words import fold

REPEATS_HEADER = "repeats the header"
HAS_TAGS = "has the tags of the columns (HXL)"
"""Why such rows are not hospitals."""

# Cells that name the field of their column.
_ENOUGH_NAMES, _LONGEST_NAME = 3, 80
_DIGIT = re.compile(r"\d")
_TAG = re.compile(r"#[a-z][a-z0-9_]*(?: ?\+ ?[a-z0-9_]+)*")


def rows_of(table: Table) -> Iterator[RawRow]:
    """Yield the rows of a table; one that names the columns has that as its problem. Raises `FileError`.

    The first row may be a second header, in another language, or say the numbers, types or technical names of the
    columns. A row repeats the header if each filled cell has the name of its column, apart from case and white
    space; it has tags if each of two or more filled cells is a tag. If all its cells are names of columns, but of
    others or in another order, a second table begins, whose rows are not read by the first header.
    """
    headers = _Headers(table)
    is_first = True
    other = 0
    for row in table.rows():
        if row.problem is None:
            row.problem = headers.problem(row.fields, is_first=is_first)
            if row.problem == REPEATS_HEADER:
                other = 0
            elif row.problem == IS_OTHER_HEADER:
                other = row.line
            elif row.problem is None and other:
                row.problem = BELOW_OTHER_HEADER.format(other)
        is_first = False
        yield row


class _Headers:
    """Finds what rows of a table say of its columns."""

    def __init__(self, table: Table) -> None:
        self._has_header = table.dialect.header
        self._names = {column: _word(column) for column in table.columns} if self._has_header else {}
        # In other formats a record has names of its own.
        is_of_lines = table.dialect.format in ("csv", "workbook")
        self._columns = frozenset(map(fold, self._names)) if is_of_lines else frozenset()
        self._counts_columns = is_of_lines and not self._has_header
        self._others = OtherHeaders(self._columns)

    def problem(self, fields: Mapping[str, object], *, is_first: bool) -> str | None:
        """Return what a row says of the columns, or None."""
        if (
            is_first
            and self._counts_columns
            and numbers_columns(["" if it is None else str(it) for it in fields.values()])
        ):
            return HAS_NUMBERS
        found = _problem(fields, self._names)
        found = found or _in_other_words(fields, self._columns, first=is_first and self._has_header)
        if found is None and self._columns and self._others.begins(fields):
            return IS_OTHER_HEADER
        # Between the header and the first row there is no table that another one could follow.
        return IN_OTHER_WORDS if is_first and found == IS_OTHER_HEADER else found


def _in_other_words(fields: Mapping[str, object], columns: frozenset[str], *, first: bool) -> str | None:
    """Return how a row names the columns in other words than the header, or None.

    `columns` are the folded names of the columns, none for formats in which a record has its own.
    """
    if first and _names_the_same(fields):
        return IN_OTHER_WORDS
    if not columns:
        return None
    if not first and not _may_be_names(fields, columns):
        return None
    cells = own_cells(fields)
    width = sum(column not in REJECT_COLUMNS for column in fields)
    if first and (below := names_below_header(cells, width)) is not None:
        return below
    return other_header(cells, columns) if 2 * len(cells) >= width else None


def _may_be_names(fields: Mapping[str, object], columns: frozenset[str]) -> bool:
    """Return what is fast to know, for nearly every row: it has text alone without a digit, and a name in short."""
    try:
        # A row to correct has the number of its line besides.
        if LINE_COLUMN not in fields and _DIGIT.search("".join(fields.values())):  # type: ignore[arg-type]
            return False
        texts = [cell for column, cell in fields.items() if cell and column not in REJECT_COLUMNS]
        if not texts or _DIGIT.search("".join(texts)):  # type: ignore[arg-type]
            return False
    except TypeError:
        # Numbers, or no cell at all.
        return False
    # Short cells such as kinds and towns repeat, so this is remembered.
    return is_name(str(min(texts, key=len)), columns)  # type: ignore[arg-type]


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
