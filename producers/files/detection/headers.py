"""Finds the row with the names of the columns: rows of titles above it, or that there is none."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from producers.files.table import REJECT_COLUMNS

_MOST_ABOVE = 40
_ROWS_COMPARED = 200
_FEWEST_NUMBERED, _FEWEST_SAME = 3, 2
NUMBER = re.compile(r"[+\u2212-]?[\d.,\s\u00a0']*\d[\d.,\s\u00a0']*%?")
"""A cell that is a number, however it is written."""
_YEAR = re.compile(r"(19|20)\d\d")
_PLACEHOLDERS = frozenset(("", "-", "na", "n/a", "null", "none", "nan", "\\n"))


@dataclass(frozen=True, slots=True)
class Header:
    """Where the table begins: the index of the header's row among those given, or of the first row if it has none.

    `doubtful` says that the first row may as well be data.
    """

    row: int
    present: bool
    doubtful: bool = False


def find_header(rows: Sequence[Sequence[str]], *, skip: int | None = None, present: bool | None = None) -> Header:
    """Return where the table begins in these first rows. `skip` and `present` are what the user has said."""
    start = skip if skip is not None else _first_full(rows)
    may_skip = skip is None and present is not False
    if may_skip and start + 1 < len(rows) and numbers_columns(rows[start]):
        start += 1
    if start >= len(rows):
        return Header(start, present is not False)
    if present:
        return Header(start, True)
    if present is None and skip in (None, 0) and tuple(rows[0][: len(REJECT_COLUMNS)]) == REJECT_COLUMNS:
        # This program has written the list, so its word needs no proof.
        return Header(0, True)
    # Without a header, nothing shows that a row above is a title and no sparse row of data.
    first = start
    if skip is None:
        filled_rows = (at for at, row in enumerate(rows) if filled(row) and not (may_skip and numbers_columns(row)))
        first = next(filled_rows, start)
    if present is False:
        return Header(first, False)
    body = [row for row in rows[start + 1 : start + 1 + _ROWS_COMPARED] if any(cell.strip() for cell in row)]
    # A header may stand among the rows again, where pages were put together.
    others = [row for row in body if not _repeats(row, rows[start])]
    names, data = _evidence(rows[start], others)
    if len(others) < len(body) and not names:
        names, data = _evidence(rows[start], body)
    if names or data < 2:
        return Header(start, True, doubtful=not names and (data == 1 or not body))
    return Header(first, False)


def distinct(names: Sequence[str]) -> list[str]:
    """Return the names of the columns with blank and repeated ones replaced, because rows are dictionaries."""
    columns: list[str] = []
    taken: set[str] = set()
    for number, name in enumerate(names, 1):
        column = name.replace("\ufeff", "").strip() or f"column {number}"
        if column in taken:
            column = f"{column} ({number})"
        columns.append(column)
        taken.add(column)
    return columns


def filled(row: Sequence[str]) -> int:
    """Return how many cells of a row are not blank."""
    return sum(1 for cell in row if cell and not cell.isspace())


def numbers_columns(row: Sequence[str]) -> bool:
    """Return whether a row only counts the columns, from 0 or 1 on: programs for tables write such a row."""
    cells = [cell.strip() for cell in row]
    # The column of such a program's own numbers has none.
    counted = cells[1:] if cells and not cells[0] else cells
    return len(counted) >= _FEWEST_NUMBERED and any(
        counted == [str(number) for number in range(first, first + len(counted))] for first in (0, 1)
    )


def _repeats(row: Sequence[str], header: Sequence[str]) -> bool:
    """Return whether a row is the header again, or most of it and for the rest words without a digit."""
    cells, names = _plain(row), _plain(header)
    if cells == names:
        return True
    same = sum(bool(cell) and cell == name for cell, name in zip(cells, names, strict=False))
    return same >= _FEWEST_SAME and 2 * same > filled(row) and named(header) > 1 and not any(map(_has_digit, cells))


def _plain(row: Sequence[str]) -> list[str]:
    return [" ".join(cell.split()).casefold() for cell in row]


def _first_full(rows: Sequence[Sequence[str]]) -> int:
    """Return the first row that is as full as the rows of the table are; titles fill one cell or two."""
    counts = [filled(row) for row in rows[:_ROWS_COMPARED]]
    usual = Counter(count for count in counts if count)
    if not usual:
        return 0
    most = max(usual, key=lambda count: (usual[count], count))
    if most < 2:
        # Titles, or rows that know nothing but a name, may be more than the full rows.
        return next(
            (
                index
                for index, count in enumerate(counts[:_MOST_ABOVE])
                if count > 1 and (named(rows[index]) == count or _goes_on(counts[index + 1 :]))
            ),
            next(index for index, count in enumerate(counts) if count),
        )
    # Rows leave cells empty, so more than half of the usual number is enough; a header is hardly emptier than that.
    least = max(2, most // 2 + 1)
    found = next(
        (
            index
            for index, count in enumerate(counts[:_MOST_ABOVE])
            if count >= least or (count > 1 and named(rows[index]) == count)
        ),
        0,
    )
    if (below := _below_narrow_rows(rows, counts, found)) is not None:
        return below
    following = found + 1
    if following < len(counts) and counts[found] < most <= counts[following]:
        # Groups of columns may have a row of titles of their own above the names.
        return following if named(rows[following]) > named(rows[found]) == 0 else found
    return found


def _below_narrow_rows(rows: Sequence[Sequence[str]], counts: Sequence[int], found: int) -> int | None:
    """Return the first row of names below rows that are all narrower, as notes in two cells are; None without such.

    There may be more such notes than rows of a short list.
    """
    for at in range(found + 1, min(len(counts), _MOST_ABOVE)):
        if counts[at] > max(counts[found:at]) and named(rows[at]) > max(1, named(rows[found])):
            below = [count for count in counts[at:] if count]
            wide = sum(count > max(counts[found:at]) for count in below)
            return at if len(below) > 1 and wide == len(below) else None
    return None


def _goes_on(counts: Sequence[int]) -> bool:
    """Return whether there are rows below, and all of them are wider than a title."""
    below = [count for count in counts if count]
    return bool(below) and min(below) > 1


def named(row: Sequence[str]) -> int:
    """Return how many cells of a row read like names of columns."""
    return sum(map(_is_name, row))


def _is_name(cell: str) -> bool:
    """Return whether the cell reads like the name of a column."""
    text = cell.strip()
    if not text or len(text) > 60:
        return False
    words, known = _words(text), _known_words()
    if not known["names"].isdisjoint(words) or text.endswith(tuple(known["endings"])):
        return True
    return bool(words) and words <= known["either"] and not _has_digit(text)


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def _evidence(first: Sequence[str], body: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Return what speaks for names of columns in the first row, and what for data."""
    names, data = 0, 0
    for index, cell in enumerate(first):
        text = cell.strip()
        column = [row[index].strip() for row in body if index < len(row)]
        column = [other for other in column if other.casefold() not in _PLACEHOLDERS]
        # A year may be either.
        if not text or _YEAR.fullmatch(text):
            continue
        numbers = sum(1 for other in column if NUMBER.fullmatch(other))
        is_numeric = bool(column) and numbers >= 0.8 * len(column)
        if NUMBER.fullmatch(text):
            data += 2 if is_numeric else 1
        elif text not in column and (
            _is_name(text) or (is_numeric and (text[0].isalpha() or not _has_digit(text)))
        ):
            names += 1
        else:
            data += _likeness(text, column)
    return names if names >= 2 or data < 2 * names + 2 else 0, data


def _likeness(text: str, column: Sequence[str]) -> int:
    """Return how much a cell is like the others of its column: 2 if much, 1 if a little."""
    if text in column:
        return 2
    if not _has_digit(text):
        return 0
    if _shape(text) in map(_shape, column):
        return 2
    return 1 if 2 * sum(map(_has_digit, column)) > len(column) else 0


@cache
def _known_words() -> Mapping[str, frozenset[str]]:
    """Return the words of which names of columns are made, without accents, in the languages of the lists.

    `names` stand nowhere else, `either` in rows as well: a cell of those counts only if it has no other word.
    `endings` are for languages that do not separate words.
    """
    tables = json.loads(files(__package__).joinpath("header_words.json").read_text(encoding="utf-8"))
    return {kind: frozenset(" ".join(lines).split()) for kind, lines in tables.items()}


def _words(text: str) -> set[str]:
    # Names are written apart, with underscores or in CamelCase.
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text.strip())
    plain = unicodedata.normalize("NFKD", apart).casefold()
    plain = "".join(
        character for character in plain if not unicodedata.combining(character) or character > "\u0400"
    )
    composed = unicodedata.normalize("NFC", plain).replace("\u0131", "i").replace("ł", "l").replace("ø", "o")
    return set(re.findall(r"[^\W\d_]+", composed))


def _shape(text: str) -> str:
    return re.sub(r"\d", "9", re.sub(r"[^\W\d_]", "a", text))
