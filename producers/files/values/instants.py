"""Decides once for a column how its dates are meant, and reads them so."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from typing import get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from producers.files.values.cells import MISSING, DateOrder, UnreadableCell, one_cell
from producers.files.values.cleaning import clean
from producers.files.values.dates import DateParser, Instant, Numbers, Readings
from producers.files.values.missing import is_missing
from producers.files.values.numbers import ascii_digits, integer_text
from worker.errors import ConfigurationError

# Patterns take time that grows with the square of a text's length.
_LONGEST_DATE = 100
_AMBIGUOUS = "may be day/month or month/day; give --date-order"
# 20240301 as a spreadsheet's number.
_WHOLE_FLOAT = re.compile(r"[0-9]{8}(?:[0-9]{6})?\.0+")
_ORDERS: tuple[DateOrder, ...] = get_args(DateOrder)
_NAMES: dict[DateOrder, str] = {"dmy": "day/month/year", "mdy": "month/day/year", "ymd": "year/month/day"}


@dataclass(frozen=True, slots=True)
class DateStyle:
    """How the dates of a column are meant: the order of day, month and year, and what its numbers count.

    `order` is None if the column does not show it. `notes` say what a person should know.
    """

    order: DateOrder | None = None
    numbers: Numbers = ""
    notes: tuple[str, ...] = ()


def date_style(sample: Sequence[object], parser: DateParser, wished: DateOrder | None) -> DateStyle:
    """Decide how the dates of a column are meant from a sample of its cells."""
    texts = [text for text in map(_text, sample) if 0 < len(text) <= _LONGEST_DATE]
    kinds = {kind for kind in map(parser.kind_of_number, texts) if kind is not None}
    numbers = kinds.pop() if len(kinds) == 1 else ""
    readings = [found for found in map(parser.readings, texts) if found]
    order = wished or _order(readings)
    notes = []
    if numbers:
        unit = "days since 1899-12-30, as Excel counts them" if numbers == "days" else f"{numbers} since 1970"
        notes.append(f"observed_at: numbers are read as {unit}")
    if order and not wished and any(len(found) > 1 for found in readings):
        notes.append(f"observed_at: dates are read as {_NAMES[order]}, as other rows show; --date-order changes it")
    if not order and any(len(found) > 1 for found in readings):
        contradictory = len({order for found in readings if len(found) == 1 for order in found}) > 1
        why = "rows contradict each other" if contradictory else "no row shows the order"
        notes.append(f"observed_at: dates such as 03/04/2024 are left out, because {why}; give --date-order")
    return DateStyle(order, numbers, tuple(notes))


def _order(readings: Iterable[Readings]) -> DateOrder | None:
    """Return the order that is possible where each other one is not, if no cell speaks against it."""
    better: Counter[tuple[DateOrder, DateOrder]] = Counter()
    offered: set[DateOrder] = set()
    always: set[DateOrder] = {"dmy", "mdy"}
    for found in readings:
        offered |= found.keys()
        better.update((one, other) for one in found for other in _ORDERS if other not in found)
    # Four digits of a year rule out that it comes first, so where no cell offers that order it is not a rival.
    rivals = offered | always
    for order in offered:
        others = rivals - {order}
        if all(better[order, other] and not better[other, order] for other in others):
            return order
    return None


class InstantReader:
    """Reads instants of one column by its style."""

    def __init__(self, style: DateStyle, parser: DateParser) -> None:
        self.changes: Counter[str] = Counter()
        self._style = style
        self._parser = parser

    def read(self, cells: Sequence[object]) -> object:
        """Return an aware `datetime` in UTC, or `MISSING`. Raises `UnreadableCell`."""
        cell = one_cell(cells)
        match cell:
            case None:
                return MISSING
            case str():
                return self._from_text(ascii_digits(clean(cell, self.changes)))
            case datetime():
                return self._parser.native(cell)
            case date():
                return self._parser.native(datetime.combine(cell, time()))
            case bool():
                raise UnreadableCell("is yes or no, not a date")
            case int() | float() | Decimal():
                return self._from_text(_number_text(cell))
        raise UnreadableCell("is not a date")

    def _from_text(self, text: str) -> Instant:
        if is_missing(text):
            return MISSING
        if len(text) > _LONGEST_DATE:
            raise UnreadableCell("is not a date")
        readings = self._parser.readings(text)
        if readings:
            return self._chosen(readings)
        if _WHOLE_FLOAT.fullmatch(text):
            text = text.partition(".")[0]
        kind = self._parser.kind_of_number(text)
        if kind is not None:
            if text.strip("0.") == "":
                return MISSING
            return self._parser.number(float(text), self._style.numbers if kind == self._style.numbers else "")
        return self._parser.certain(text)

    def _chosen(self, readings: Readings) -> Instant:
        order = self._style.order
        if order in readings:
            return _or_raise(readings[order])
        values = list(readings.values())
        if len(values) == 1 or len({str(value) for value in values}) == 1:
            # Only one order is possible, or all mean the same day, as in 05/05/2024.
            return _or_raise(values[0])
        raise UnreadableCell(_AMBIGUOUS)


def _or_raise(found: Instant | UnreadableCell) -> Instant:
    if isinstance(found, UnreadableCell):
        raise found
    return found


def _text(cell: object) -> str:
    match cell:
        case str():
            unchanged: Counter[str] = Counter()
            return ascii_digits(clean(cell, unchanged))
        case bool():
            return ""
        case int() | float() | Decimal():
            return _number_text(cell)
    return ""


def _number_text(number: int | float | Decimal) -> str:
    return integer_text(number) or str(number)


def time_zone(name: str) -> tzinfo:
    """Return the time zone of this name. Raises `ConfigurationError` if there is none."""
    if name.upper() in ("UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(
            f"the time zone {name!r} is not known; give one such as Europe/Paris to --timezone"
        ) from None
