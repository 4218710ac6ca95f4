"""Finds the header of another table among the rows by what its columns contain, if a name in it is not known."""

import re
from collections.abc import Mapping

from producers.files.columns.names import fields_by_name
from producers.files.rows.phrases import kinds_of_count
from producers.files.rows.second_headers import is_name
from producers.files.table import own_cells
from producers.files.words import fold, word_set

_ROWS_LEARNT, _FEWEST_LEARNT = 200, 3
_MOSTLY = 0.9
_FEWEST, _LONGEST_NAME = 2, 60
_DIGIT = re.compile(r"\d")


class OtherHeaders:
    """Knows from the first rows which columns have a digit in nearly all cells, such as codes and numbers of beds.

    `columns` are the folded names of the table's columns. Give it each row in turn.
    """

    def __init__(self, columns: frozenset[str]) -> None:
        self._columns = columns
        self._learnt = 0
        self._filled: dict[str, int] = {}
        self._digits: dict[str, int] = {}
        self._numbered: tuple[str, ...] = ()

    def begins(self, fields: Mapping[str, object]) -> bool:
        """Return whether a row is the header of another table; else learn from it.

        It has no digit, not even where others have one, and half of its cells are names of columns, the hospital's,
        that of a pharmacy or a doctor, or a number of hospitals among them.
        """
        # First what is fast, because this runs for every row of a file.
        if self._learnt >= _ROWS_LEARNT and (not self._numbered or self._has_digits(fields)):
            return False
        if self._is_header(fields):
            return True
        if self._learnt < _ROWS_LEARNT:
            self._learn(fields)
        return False

    def _has_digits(self, fields: Mapping[str, object]) -> bool:
        """Return whether a row has a digit where others have one, in the first such column that it fills."""
        cell = next((cell for it in self._numbered if (cell := fields.get(it))), "0")
        return not isinstance(cell, str) or _DIGIT.search(cell) is not None

    def _is_header(self, fields: Mapping[str, object]) -> bool:
        cells = own_cells(fields)
        if len(cells) < _FEWEST or self._learnt < _FEWEST_LEARNT:
            return False
        texts = list(cells.values())
        if any(_DIGIT.search(text) or len(text) > _LONGEST_NAME for text in texts):
            return False
        against = sum(column in cells for column in self._numbered)
        known = sum(is_name(text, self._columns) or _is_of_others(text) or _counts(text) for text in texts)
        if not against or len({*map(str.casefold, texts)}) < len(texts) or 2 * known < len(texts):
            return False
        names = any("hospital_name" in fields_by_name(it) or _is_of_others(it) or _counts(it) for it in texts)
        if len(texts) == _FEWEST:
            # A narrower table, or a hospital called "Clinic" in "City": of a header, one name is in another column.
            moved = [text for column, text in cells.items() if fold(text) in self._columns - {fold(column)}]
            return names and known == len(texts) and bool(moved)
        # Two such words may be what a hospital without a code and its town are called.
        return names and (known > _FEWEST or (known == _FEWEST and against > 1))

    def _learn(self, fields: Mapping[str, object]) -> None:
        self._learnt += 1
        for column, text in own_cells(fields).items():
            self._filled[column] = self._filled.get(column, 0) + 1
            self._digits[column] = self._digits.get(column, 0) + (_DIGIT.search(text) is not None)
        self._numbered = tuple(
            column
            for column, filled in self._filled.items()
            if filled >= _FEWEST_LEARNT and self._digits[column] >= _MOSTLY * filled
        )


def _is_of_others(text: str) -> bool:
    """Return whether a cell is what the names in a list of other places, or of people, are called."""
    return fold(text) in word_set("other_places") | word_set("heads_of_people")


def _counts(text: str) -> bool:
    """Return whether a cell is what a number of hospitals is called: "Number of hospitals"."""
    return "counted" in kinds_of_count(text)
