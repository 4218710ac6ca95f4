"""Numbers as lists write them: digits of many scripts, thousands separators, decimal commas, units.

Which sign separates thousands is decided once for a column: `1.234` alone may be 1,234 or 1.234.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache

from producers.files.values.cells import MISSING, UnreadableCell, one_cell
from producers.files.values.cleaning import clean
from producers.files.values.missing import is_missing
from producers.files.values.words import table
from worker.contract.placeholders import word_key

# Signs of other scripts and keyboards, by the ASCII sign that they mean. The comma of CJK texts is full width.
_SIGNS = {
    ord(sign): ascii_sign
    for ascii_sign, signs in (
        ("-", "\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d"), ("+", "\uff0b"), (".", "\u066b\uff0e"),
        (",", "\uff0c"), ("'", "\u066c\u2019\u02bc\uff07"), (":", "\uff1a"), ("/", "\uff0f"),
    )
    for sign in signs
}  # fmt: skip
_PLAIN = re.compile(r"[0-9]{1,12}")
_NUMBER = re.compile(r"([+-]?)([0-9][0-9.,' ]*|[.,][0-9]+)", re.ASCII)
_EXPONENT = re.compile(r"([+-]?[0-9]+(?:[.,][0-9]+)?)[eE]([+-]?[0-9]{1,2})")
_GROUPED = re.compile(r"[1-9][0-9]{0,2}(?:([.,' ])[0-9]{3})(?:\1[0-9]{3})*")
_AMBIGUOUS = re.compile(r"[1-9][0-9]{0,2}([.,])[0-9]{3}")
_FRACTION = re.compile(r"[0-9]*([.,])[0-9]+")
_UNIT = re.compile(r"\s*([^\W\d_][^\d]*)")
# A number, and in brackets behind it another one with or without words: "320 (12 ICU)", "1.538 (davon 96)".
_WITH_PART = re.compile(
    r"(?P<whole>[^(\[\uff08]*[0-9][^(\[\uff08]*?)\s*[(\[\uff08]"
    r"(?P<part>[^(\[0-9]*(?P<number>[0-9]{1,9})[^(\[0-9]*?)[)\]\uff09]"
)
# Of what is added or is a share, the number in front is not the whole.
_NO_PART = re.compile(r"[+%/&]|[-\u2013]\s*[0-9]|[0-9]\s*[-\u2013]")
_FOOTNOTE_MARK = re.compile(r"(?<=[0-9])\s*[*\u2020\u2021\u00b9\u00b2\u00b3]{1,3}$")
_MARK_LEFT_OUT = "a footnote mark is left out"
_PART_LEFT_OUT = "a smaller number in brackets, as a part of the whole, is left out"
_NO_NUMBER = frozenset(("-9", "-99", "-999", "-9999", "-99999", "-999999", "-1", "9999", "99999", "999999"))
NO_NUMBERS = frozenset((-999, -9999, -99999, -999999))
"""Numbers that programs for statistics write for "not known", whatever the column counts."""

_MOST_EXACT = 2**53
_NOT_A_NUMBER = "is not a number"
# The largest hospital of the world has fewer, so "50 100" is two numbers.
_MOST_BEDS = 15_000
_LONGEST_NUMBER = 60
# Beyond these, a number is not a count and takes long to handle.
_MOST_WHOLE = 10**9
_MOST_DIGITS = 40


@cache
def _about() -> re.Pattern[str]:
    words = "|".join(map(re.escape, sorted(table("words")["about"], key=len, reverse=True)))
    return re.compile(rf"(?:{words})\.?\s*(?=[0-9])", re.IGNORECASE)


@cache
def _beds() -> frozenset[str]:
    return frozenset(map(word_key, table("words")["beds"]))


@cache
def _counters() -> frozenset[str]:
    return _beds() | frozenset(map(word_key, table("words")["people"]))


def is_counted(text: str) -> bool:
    """Return whether a text is a number with a word for what it counts: 57张, "120 lits"."""
    text = ascii_digits(text[:_LONGEST_NUMBER].strip())
    number = _NUMBER.match(text)
    unit = None if number is None else _UNIT.fullmatch(text[number.end() :])
    return unit is not None and word_key(unit[1]) in _counters()


def ascii_digits(text: str) -> str:
    """Return the text with the digits and the signs of numbers of other scripts as ASCII."""
    if text.isascii():
        return text
    text = text.translate(_SIGNS)
    return "".join(
        str(unicodedata.decimal(character)) if character.isdecimal() and character > "9" else character
        for character in text
    )


def thousands_sign(sample: Sequence[object]) -> tuple[str, str | None]:
    """Decide which of `.` and `,` separates thousands in a column of whole numbers.

    Returns the sign (empty if none does), and what a person should know if values cannot be read because of it.
    """
    seen: Counter[str | tuple[str, str]] = Counter()
    for text in _number_texts(sample):
        seen.update(_evidence(text.lstrip("+-")))
    for sign, other in ((".", ","), (",", ".")):
        # Among small numbers without a sign, 1.234 is a large one.
        large = seen["small"] and not seen["large"] and seen["either", sign] and not seen["either", other]
        against = seen["decimal", sign] or seen["thousands", other]
        if not against and (seen["thousands", sign] or seen["decimal", other] or large):
            return sign, None
    if seen["either", "."] or seen["either", ","]:
        return "", "whether . and , separate thousands cannot be seen from the column, so such values are left out"
    return "", None


def _evidence(digits: str) -> Iterable[str | tuple[str, str]]:
    """Return what a number without its minus shows of the signs in its column."""
    if digits.isdigit():
        return ["large" if len(digits) > 3 else "small"]
    if either := _AMBIGUOUS.fullmatch(digits):
        return [("either", either[1])]
    if fraction := _FRACTION.fullmatch(digits):
        return [("decimal", fraction[1])]
    if (grouped := _GROUPED.fullmatch(digits)) and grouped[1] in ".,":
        return [("thousands", grouped[1])]
    last = max(".,", key=digits.rfind)
    if "." in digits and "," in digits and digits.count(last) == 1:
        # The sign that comes last and only once is the decimal sign.
        return [("decimal", last), ("thousands", "," if last == "." else ".")]
    return []


def _number_texts(sample: Iterable[object]) -> Iterable[str]:
    unchanged: Counter[str] = Counter()
    for cell in sample:
        if isinstance(cell, str):
            text = ascii_digits(clean(cell[:_LONGEST_NUMBER], unchanged))
            bare = _bare(_without_part(_FOOTNOTE_MARK.sub("", text)))
            if bare is not None:
                yield bare


def _without_part(text: str) -> str:
    """Return a text without the smaller number that it has in brackets at its end: that is a part of the first."""
    found = _WITH_PART.fullmatch(text)
    if found is None or _NO_PART.search(found["part"]):
        return text
    whole = re.sub(r"[^0-9]", "", found["whole"])
    return found["whole"] if int(found["number"]) <= int(whole) else text


def _bare(text: str) -> str | None:
    """Return the number within a text, without words around it; None without a number or with unknown words."""
    if about := _about().match(text):
        text = text[about.end() :]
    number = _NUMBER.match(text)
    if number is None:
        return None
    rest = text[number.end() :]
    if rest and ((unit := _UNIT.fullmatch(rest)) is None or word_key(unit[1]) not in _beds()):
        return None
    return number[0].strip()


class WholeNumberReader:
    """Reads the number of beds. `thousands` is the sign that separates thousands in this column, or empty."""

    def __init__(self, thousands: str) -> None:
        self.changes: Counter[str] = Counter()
        self._thousands = thousands
        self._decimal = {".": ",", ",": "."}.get(thousands, "")

    def read(self, cells: Sequence[object]) -> object:
        """Return a whole number that is not negative, or `MISSING`. Raises `UnreadableCell`."""
        cell = one_cell(cells)
        if isinstance(cell, str):
            if _PLAIN.fullmatch(cell):
                return MISSING if cell in _NO_NUMBER else int(cell)
            return self._from_text(ascii_digits(clean(cell, self.changes)))
        return whole_native(cell)

    def _from_text(self, text: str) -> object:
        if is_missing(text):
            return MISSING
        if len(text) > _LONGEST_NUMBER:
            raise UnreadableCell(_NOT_A_NUMBER)
        if exponent := _EXPONENT.fullmatch(text):
            return _checked_whole(_exact(exponent))
        unmarked = _FOOTNOTE_MARK.sub("", text)
        whole = _without_part(unmarked)
        bare = _bare(whole)
        if bare is None:
            raise UnreadableCell(_NOT_A_NUMBER)
        if whole is not unmarked:
            self.changes[_PART_LEFT_OUT] += 1
        if unmarked != text:
            self.changes[_MARK_LEFT_OUT] += 1
        negative = bare.startswith("-")
        number = self._parsed(bare.lstrip("+-"))
        return _checked_whole(-number if negative else number)

    def _parsed(self, digits: str) -> Decimal:
        if digits.isdigit():
            return Decimal(digits)
        if grouped := _GROUPED.fullmatch(digits):
            return self._ungrouped(digits, grouped[1])
        whole, _, fraction = digits.rpartition(self._decimal or max(".,", key=digits.rfind))
        if fraction.isdigit():
            if whole.isdigit() or not whole:
                return Decimal(f"{whole or 0}.{fraction}")
            grouped = _GROUPED.fullmatch(whole)
            if grouped and grouped[1] == (self._thousands or grouped[1]):
                return Decimal(whole.replace(grouped[1], "") + "." + fraction)
        raise UnreadableCell(_NOT_A_NUMBER)

    def _ungrouped(self, digits: str, sign: str) -> Decimal:
        # Blanks and apostrophes are not decimal signs, and a decimal sign does not come twice.
        if sign in " '" or digits.count(sign) > 1 or sign == self._thousands:
            number = Decimal(digits.replace(sign, ""))
            if sign == " " and number > _MOST_BEDS:
                raise UnreadableCell("may be several numbers")
            return number
        if not self._decimal:
            raise UnreadableCell("may have a thousands separator or a decimal sign")
        return Decimal(digits.replace(sign, "."))


def whole_native(cell: object) -> object:
    """Return a native whole number that is not negative, or `MISSING`. Raises `UnreadableCell`."""
    match cell:
        case None:
            return MISSING
        case bool():
            raise UnreadableCell("is yes or no, not a number")
        case int():
            return _checked_whole(Decimal(cell))
        case float() | Decimal():
            if math.isnan(cell):
                return MISSING
            if not math.isfinite(cell):
                raise UnreadableCell(_NOT_A_NUMBER)
            return _checked_whole(Decimal(cell))
        case date() | datetime():
            raise UnreadableCell("is a date, not a number")
    raise UnreadableCell(_NOT_A_NUMBER)


def _exact(match: re.Match[str]) -> Decimal:
    number = Decimal(match[1].replace(",", ".")).scaleb(int(match[2]))
    digits = sum(map(str.isdigit, match[1]))
    if number == number.to_integral_value() and len(str(abs(int(number)))) > digits:
        raise UnreadableCell("is a number that a spreadsheet has rounded, such as 1.2E+05")
    return number


def _checked_whole(number: Decimal) -> object:
    if abs(number) > _MOST_WHOLE:
        raise UnreadableCell(_NOT_A_NUMBER)
    if number != number.to_integral_value():
        raise UnreadableCell("is not a whole number")
    whole = int(number)
    if str(whole) in _NO_NUMBER:
        return MISSING
    if whole < 0:
        raise UnreadableCell("is negative")
    return whole


def integer_text(cell: object) -> str | None:
    """Return the digits of a native number that is whole and exact; None if it is not such a number.

    A float above 2**53 is not exact.
    """
    match cell:
        case bool():
            return None
        case int():
            return str(cell)
        case float() | Decimal():
            exact = cell.adjusted() < _MOST_DIGITS if isinstance(cell, Decimal) else abs(cell) < _MOST_EXACT
            if math.isfinite(cell) and exact and cell == int(cell):
                return str(int(cell))
    return None
