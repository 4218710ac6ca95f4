"""Rows that say what the columns are: their numbers, technical names or types, and headers of other tables."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from producers.files.columns.names import fields_by_name, identifier_cost
from producers.files.detection.headers import numbers_columns
from producers.files.values.words import table
from producers.files.words import fold

HAS_NUMBERS = "numbers the columns"
HAS_TYPES = "has the types of the columns"
HAS_TECHNICAL_NAMES = "has technical names of the columns"
IN_OTHER_WORDS = "names the columns in other words, as a second header does"
IS_OTHER_HEADER = "names the columns of another table"
BELOW_OTHER_HEADER = (
    "stands below a second header with other columns, in line {}; save the rows from that line on as a list "
    "of their own"
)
"""Why such rows, and those below a header of another table, are not hospitals."""

_FEWEST = 2
_LONGEST_NAME = 60
_NAMES_KEPT = 10_000
_WITHOUT_WORDS = re.compile(r"[^\W\d]\w*")
_LENGTHS = re.compile(r"\(\d+(?:, *\d+)?\)$")


def names_below_header(cells: Mapping[str, str], width: int) -> str | None:
    """Return what the first row below a header says of the columns, or None: "1;2;3", "text;number", "fac_name".

    `cells` are its filled cells, and `width` is the number of columns.
    """
    if len(cells) < _FEWEST:
        return None
    if _are_numbers(list(cells.values()), width):
        return HAS_NUMBERS
    types = frozenset(map(fold, table("words")["types"]))
    if all(fold(_LENGTHS.sub("", text)) in types for text in cells.values()):
        return HAS_TYPES
    return HAS_TECHNICAL_NAMES if _are_technical_names(cells) else None


def other_header(cells: Mapping[str, str], columns: frozenset[str]) -> str | None:
    """Return what a row is if all its filled cells, by column, are names of columns; else None.

    `columns` are the names of this table's columns, as `fold` leaves them. The header of another table has at least
    one name in another column than this header has it in.
    """
    texts = [fold(text) for text in cells.values()]
    if len(cells) < _FEWEST or len(set(texts)) < len(texts):
        return None
    if not all(is_name(text, columns) for text in cells.values()):
        return None
    known = sum(text in columns for text in texts)
    has_name = any("hospital_name" in fields_by_name(text) for text in cells.values())
    # Fewer words than these may be what a hospital, its town and its kind are called.
    enough = known == len(cells) or (has_name and len(cells) > _FEWEST)
    if not enough:
        return None
    same = all(_names_its_column(column, text) for column, text in cells.items())
    return IN_OTHER_WORDS if same else IS_OTHER_HEADER


def _are_numbers(cells: Sequence[str], width: int) -> bool:
    """Return whether the cells count without a gap: 1, 2, 3 or (1), (2), (3), or letters."""
    if len(cells) < max(_FEWEST, width - 1):
        return False
    bare = [cell.strip("()[]. ").casefold() for cell in cells]
    if numbers_columns(bare):
        return True
    counts = [str(number) for number in range(1, len(bare) + 1)]
    letters = [chr(number) for number in range(ord("a"), ord("a") + min(len(bare), 26))]
    return bare in (counts, letters)


def _are_technical_names(cells: Mapping[str, str]) -> bool:
    """Return whether no cell has a blank, and half of them say in one word what their columns say."""
    texts = list(cells.values())
    if not all(map(_WITHOUT_WORDS.fullmatch, texts)) or len({*texts}) < len(texts):
        return False
    if not any("_" in text for text in texts):
        return False
    alike = sum(_names_its_column(column, text) for column, text in cells.items())
    return alike >= _FEWEST and 2 * alike >= len(texts)


def _names_its_column(column: str, text: str) -> bool:
    if not fields_by_name(column).keys().isdisjoint(fields_by_name(text)):
        return True
    if identifier_cost(column) is not None and identifier_cost(text) is not None:
        return True
    return fold(column) == fold(text)


@lru_cache(maxsize=_NAMES_KEPT)
def is_name(text: str, columns: frozenset[str]) -> bool:
    """Return whether a cell has the name of one of these columns, as `fold` leaves them, or of any other field."""
    text = text.strip()
    if len(text) > _LONGEST_NAME or any(map(str.isdigit, text)):
        return False
    return fold(text) in columns or bool(fields_by_name(text)) or identifier_cost(text) is not None
