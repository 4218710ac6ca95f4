"""Parses dates as lists write them.

`03/04/2024` alone is the third of April or the fourth of March, so such dates have several readings. `instants.py`
decides between them, once for a column.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache

from producers.files.values.cells import MISSING, DateOrder, Missing, UnreadableCell
from producers.files.values.words import table
from worker.contract.fields import EARLIEST, MAX_CLOCK_LEAD
from worker.contract.placeholders import word_key

_TIME = re.compile(
    r"(?:\s*[T,]\s*|\s+)([0-9]{1,2})[:.h]([0-9]{2})(?:[:.]([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
    r"\s*([ap]\.?\s?m\.?)?\s*(Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?",
    re.IGNORECASE,
)
_YEAR_FIRST = re.compile(r"([0-9]{4})\s?([-/.])\s?([0-9]{1,2})\s?\2\s?([0-9]{1,2})(?![0-9])\.?")
_YEAR_LAST = re.compile(r"([0-9]{1,2})\s?([-/. ])\s?([0-9]{1,2})\s?\2\s?([0-9]{4}|[0-9]{2})(?![0-9])")
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_COMPACT_TIME = re.compile(r"\s*T?([0-9]{2})([0-9]{2})([0-9]{2})?(Z)?")
_EAST_ASIAN = re.compile(r"([0-9]{4})\s?[年년]\s?([0-9]{1,2})\s?[月월]\s?([0-9]{1,2})\s?[日일]")
_ERA = re.compile(r"令和|平成|昭和|大正|明治|民國|民国|พ\.?ศ|[RHSTM][0-9]{1,2}[./-]|ค\.ศ")
_TOKEN = re.compile(r"thang[0-9]+|[0-9]+|[^\W\d_]+")
_VIETNAMESE = re.compile(r"thang\s+([0-9]{1,2})")
_NAMED_TWO_DIGITS = re.compile(r"(?:[^\W\d_]+ )?[0-9]{1,2}\D+[0-9]{2}")
_YEAR_AND_MONTH = re.compile(r"[0-9]{4}(?:\s?[-/.年]\s?[0-9]{1,2}\s?月?)?年?")
_JSON_DATE = re.compile(r"/Date\((-?[0-9]{1,15})(?:[+-][0-9]{4})?\)/")
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,12})?")
# What programs write for "no date": the first days of their calendars and the last.
_NO_DATES = frozenset(((1, 1, 1), (1899, 12, 30), (1899, 12, 31), (1900, 1, 1), (1970, 1, 1), (9999, 12, 31)))
_ORDERS: dict[DateOrder, tuple[int, int, int]] = {"dmy": (2, 1, 0), "mdy": (2, 0, 1), "ymd": (0, 1, 2)}
# No list knows a hospital from before; 31/03/24 is not the 24th of March 1931.
_EARLIEST_OF_TWO_DIGITS = 1970
# Russian and Ukrainian for "year", in full or as one letter.
_SUFFIX = re.compile("\\s*(?:\u0433\u043e\u0434\u0430|\u0440\u043e\u043a\u0443|[\u0433\u0440]\\.?)\\s*")
_NOT_A_DATE = "is not a date"

Instant = datetime | Missing
Readings = dict[DateOrder, Instant | UnreadableCell]
Numbers = str
"""How numbers in a column are meant: `days` since 1899-12-30, `seconds` or `milliseconds` since 1970, or empty."""


class ImpossibleDate(UnreadableCell):
    """The calendar has no such day."""


@cache
def _fillers() -> frozenset[str]:
    return frozenset(word_key(word) for word in table("months")["fillers"])


@cache
def month_numbers() -> dict[str, int]:
    """Return the number of each month, by its names and short names in all languages that are known."""
    return {
        word_key(name): number
        for language, months in table("months").items()
        if language != "fillers"
        for number, names in enumerate(months, start=1)
        for name in names.split()
    }


class DateParser:
    """Parses texts and numbers. `zone` is that of instants without an offset; `now` bounds what can be."""

    def __init__(self, zone: tzinfo, now: datetime) -> None:
        self._zone = zone
        self._latest = now + MAX_CLOCK_LEAD
        self._century = now.year % 100

    def readings(self, text: str) -> Readings:
        """Return what each possible order of day, month and year makes of a text; empty if that is not in question.

        An order that would make a thirteenth month is not possible.
        """
        match = _YEAR_LAST.match(text)
        if match is None:
            return {}
        parts = (match[1], match[3], match[4])
        orders: tuple[DateOrder, ...] = ("dmy", "mdy") if len(match[4]) == 4 else ("dmy", "mdy", "ymd")
        found: Readings = {}
        for order in orders:
            year, month, day = (int(parts[place]) for place in _ORDERS[order])
            year = self._full_year(year, match[4])
            if len(match[4]) == 2 and year < _EARLIEST_OF_TWO_DIGITS:
                continue
            try:
                found[order] = self._instant(year, month, day, text[match.end() :])
            except ImpossibleDate:
                continue
            except UnreadableCell as error:
                found[order] = error
        if match[2] == "." and len(match[4]) == 4 and "dmy" in found:
            # Where dates are written with dots, the day comes first.
            return {"dmy": found["dmy"]}
        return found

    def certain(self, text: str) -> Instant:
        """Return the instant of a text whose order is not in question. Raises `UnreadableCell`."""
        if not text.strip("0-/.: T"):
            return MISSING
        for parse in (self._year_first, self._named, self._compact):
            instant = parse(text)
            if instant is not None:
                return instant
        if match := _JSON_DATE.fullmatch(text):
            return self.number(int(match[1]), "milliseconds")
        if _ERA.search(text):
            raise UnreadableCell("is a date of an era, not of the Gregorian calendar")
        if _YEAR_AND_MONTH.fullmatch(text):
            raise UnreadableCell("is a year or a month, not a day")
        raise UnreadableCell(_NOT_A_DATE)

    def number(self, number: float, numbers: Numbers) -> Instant:
        """Return the instant that a number means. Raises `UnreadableCell`."""
        if number == 0:
            return MISSING
        if numbers == "days":
            return self._checked(datetime(1899, 12, 30, tzinfo=self._zone) + timedelta(days=number))
        if numbers in ("seconds", "milliseconds"):
            seconds = number / 1000 if numbers == "milliseconds" else number
            return self._checked(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))
        raise UnreadableCell("is a number, and not in all rows a date as a spreadsheet or Unix counts it")

    def kind_of_number(self, text: str) -> Numbers | None:
        """Return how a number can be meant as a date; None if it is not a number, or one such as 20240301."""
        if not _NUMBER.fullmatch(text) or _YEAR_AND_MONTH.fullmatch(text) or self._is_compact(text):
            return None
        number = float(text)
        for numbers, earliest in (("days", 20_000.0), ("seconds", 3e8), ("milliseconds", 3e11)):
            try:
                if number >= earliest and self.number(number, numbers) is not MISSING:
                    return numbers
            except (UnreadableCell, OverflowError):
                continue
        return ""

    def native(self, value: datetime) -> Instant:
        """Return a native date and time, checked. Raises `UnreadableCell`."""
        return self._checked(value if value.tzinfo else value.replace(tzinfo=self._zone))

    def _is_compact(self, text: str) -> bool:
        try:
            return self._compact(text) is not None
        except UnreadableCell:
            return False

    def _year_first(self, text: str) -> Instant | None:
        match = _YEAR_FIRST.match(text)
        if match is None:
            match = _EAST_ASIAN.match(text)
            if match is None:
                return None
            year, month, day = match[1], match[2], match[3]
        else:
            year, month, day = match[1], match[3], match[4]
        return self._instant(int(year), int(month), int(day), text[match.end() :])

    def _compact(self, text: str) -> Instant | None:
        match = _COMPACT.match(text)
        if match is None:
            return None
        rest = text[match.end() :]
        clock = ""
        if rest:
            time = _COMPACT_TIME.fullmatch(rest)
            if time is None:
                return None
            clock = f" {time[1]}:{time[2]}:{time[3] or '00'}{time[4] or ''}"
        return self._instant(int(match[1]), int(match[2]), int(match[3]), clock)

    def _named(self, text: str) -> Instant | None:
        """Read a date with the name of its month: the number above 31 is the year, the other one the day."""
        # Oracle writes 01-MAR-24 12.30.00.000000 PM.
        time = _TIME.search(text) if ":" in text or text.count(".") > 2 else None
        head, rest = (text[: time.start()], text[time.start() :]) if time else (text, "")
        key = _VIETNAMESE.sub(r"thang\1", word_key(head))
        numbers: list[str] = []
        month = None
        for token in _TOKEN.findall(key):
            if token.isdecimal():
                numbers.append(token)
            elif (number := self._month(token)) is not None and month is None:
                month = number
            elif token not in _fillers():
                return None
        if month is None:
            return None
        if len(numbers) != 2:
            raise UnreadableCell("is a year or a month, not a day" if len(numbers) == 1 else _NOT_A_DATE)
        first, second = numbers
        day, year = (second, first) if len(first) == 4 else (first, second)
        if len(day) > 2 or len(year) not in (2, 4):
            raise UnreadableCell(_NOT_A_DATE)
        if len(year) == 2 and not _NAMED_TWO_DIGITS.fullmatch(key):
            raise UnreadableCell("has a year of two digits, and which number is the year cannot be known")
        return self._instant(self._full_year(int(year), year), month, int(day), rest)

    @staticmethod
    def _month(token: str) -> int | None:
        return int(token[5:]) if token.startswith("thang") and token[5:].isdecimal() else month_numbers().get(token)

    def _full_year(self, year: int, written: str) -> int:
        if len(written) == 4:
            return year
        return year + (2000 if year <= self._century else 1900)

    def _instant(self, year: int, month: int, day: int, rest: str) -> Instant:
        hour = minute = second = micro = 0
        zone: tzinfo = self._zone
        if rest and not _SUFFIX.fullmatch(rest):
            time = _TIME.fullmatch(rest)
            if time is None:
                raise UnreadableCell(_NOT_A_DATE)
            hour, minute, second = int(time[1]), int(time[2]), int(time[3] or 0)
            micro = int((time[4] or "0")[:6].ljust(6, "0"))
            if time[5]:
                if not 1 <= hour <= 12:
                    raise UnreadableCell(_NOT_A_DATE)
                hour = hour % 12 + 12 * (time[5][0] in "pP")
            if time[6]:
                zone = _offset(time[6])
        if (year, month, day) in _NO_DATES:
            return MISSING
        for first, last, calendar in ((2400, 2700, "Buddhist"), (1300, 1499, "Islamic")):
            if first <= year <= last:
                raise UnreadableCell(f"has a year of another calendar, perhaps the {calendar} one")
        try:
            instant = datetime(year, month, day, hour, minute, second, micro, tzinfo=zone)
        except ValueError:
            raise ImpossibleDate("is a date that does not exist") from None
        return self._checked(instant)

    def _checked(self, instant: datetime) -> Instant:
        if (instant.year, instant.month, instant.day) in _NO_DATES:
            return MISSING
        try:
            instant = instant.astimezone(UTC)
        except OverflowError:
            raise UnreadableCell(_NOT_A_DATE) from None
        if instant < EARLIEST:
            raise UnreadableCell("is before 1900")
        if instant > self._latest:
            raise UnreadableCell("is in the future")
        return instant


def _offset(text: str) -> tzinfo:
    if text[0] not in "+-":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    if minutes >= 24 * 60:
        raise UnreadableCell(_NOT_A_DATE)
    return timezone(timedelta(minutes=minutes if text[0] == "+" else -minutes))
