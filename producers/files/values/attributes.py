"""Readers of attributes: facts that the contract has no field for."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal

import orjson

from producers.files.values.cells import MISSING, UnreadableCell, one_cell
from producers.files.values.missing import is_missing_attribute
from producers.files.values.numbers import NO_NUMBERS
from producers.files.values.texts import TextReader
from worker.contract.fields import INT64_MAX, INT64_MIN


class AttributeReader:
    """Reads an attribute: text stays text, native numbers and booleans keep their type, an object becomes JSON."""

    def __init__(self) -> None:
        self.changes: Counter[str] = Counter()
        self._text = TextReader(is_missing_attribute, self.changes)

    def read(self, cells: Sequence[object]) -> object:
        """Return text, a number or a boolean, or `MISSING`. Raises `UnreadableCell`."""
        if len(cells) > 1:
            return self._text.read(cells)
        (cell,) = cells
        if isinstance(cell, Mapping | list | tuple):
            return self._json(cell)
        if isinstance(cell, datetime | date | time):
            return cell.isoformat()
        if isinstance(cell, float | Decimal):
            return MISSING if math.isnan(cell) or cell in NO_NUMBERS else float(cell)
        if isinstance(cell, int):
            known = cell if INT64_MIN <= cell <= INT64_MAX else str(cell)
            return MISSING if cell in NO_NUMBERS else known
        return self._text.read(cells)

    @staticmethod
    def _json(cell: object) -> object:
        if not cell:
            return MISSING
        try:
            return orjson.dumps(cell, default=str).decode()
        except (TypeError, orjson.JSONEncodeError):
            raise UnreadableCell("is an object that cannot be written as JSON") from None


class AttributesReader:
    """Reads a JSON object of attributes: as a native object, or as text."""

    def __init__(self) -> None:
        self.changes: Counter[str] = Counter()
        self._attribute = AttributeReader()

    def read(self, cells: Sequence[object]) -> object:
        """Return the attributes by name, or `MISSING`. Raises `UnreadableCell`."""
        cell = one_cell(cells)
        if isinstance(cell, str):
            if is_missing_attribute(cell.strip()):
                return MISSING
            try:
                cell = orjson.loads(cell)
            except orjson.JSONDecodeError:
                raise UnreadableCell("is not a JSON object") from None
        if cell is None:
            return MISSING
        if not isinstance(cell, Mapping):
            raise UnreadableCell("is not a JSON object")
        read = {str(name): self._attribute.read((value,)) for name, value in cell.items()}
        return {name: value for name, value in read.items() if value is not MISSING} or MISSING
