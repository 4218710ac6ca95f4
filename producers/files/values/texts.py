"""Readers of text: names and places, identifiers and codes of digits, attributes, the type of hospital."""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from functools import cache

from producers.files.values.cells import MISSING, UnreadableCell, one_cell
from producers.files.values.cleaning import clean
from producers.files.values.dittos import IS_DITTO, surely_dittos
from producers.files.values.made_dates import IS_MADE_DATE, is_made_date
from producers.files.values.missing import IsMissing
from producers.files.values.numbers import ascii_digits, integer_text
from producers.files.values.words import table
from worker.contract.placeholders import LONGEST_PLACEHOLDER, word_key

_WHOLE_FLOAT = re.compile(r"([0-9]+)[.,]0+")
_FRACTION = re.compile(r"[0-9]+[.,][0-9]*[1-9][0-9]*")
# Spreadsheets write the sign of the exponent. Without it, 5E1 is an identifier of letters and digits.
_EXPONENT = re.compile(r"([0-9])(?:[.,]([0-9]+))?[eE]\+([0-9]{1,3})")
# What decoding makes of a byte that is not of the file's encoding, and JSON of half an escaped pair.
_SURROGATE = re.compile("[\ud800-\udfff]")
# The Japanese sign of the post and signs of a telephone say what follows; they are not part of it.
_SIGNS_IN_FRONT = "\u3012\u3036\u3020\u260e\u260f\u2706\U0001f4de :\uff1a"
# Letters, digits and signs of East Asia that are as wide as characters there.
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
# That of `external_id` in the contract.
_LONGEST_IDENTIFIER = 128
_DIGEST = 16
_SAME_ZEROS = re.compile(r"[^\w]*0[\W0]*")


@cache
def _types() -> dict[str, str]:
    words = table("words")
    return {word_key(word): name for name in ("single", "multi") for word in words[name]}


def _native_text(cell: object) -> str | None:
    """Return the text of a native value; None if it has none that a text field may contain."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    if isinstance(cell, list | tuple):
        texts = [_native_text(item) for item in cell]
        return None if None in texts else ", ".join(text for text in texts if text)
    if isinstance(cell, float | Decimal) and not math.isfinite(cell):
        return "" if math.isnan(cell) else None
    return integer_text(cell) or (str(cell) if isinstance(cell, float | Decimal) else None)


def _text_of(cell: object) -> str:
    text = _native_text(cell)
    if text is None:
        raise UnreadableCell(f"is {_described(cell)}, not text")
    return text


def _whole(text: str) -> str:
    if not text.isascii() and _SURROGATE.search(text):
        raise UnreadableCell("contains a broken character")
    return text


def _described(cell: object) -> str:
    match cell:
        case bool():
            return "yes or no"
        case date() | time():
            return "a date or a time"
        case Mapping():
            return "an object"
        case list() | tuple():
            return "a list of objects"
        case float() | Decimal():
            return "an infinite number"
    return "a value of another type"


class TextReader:
    """Reads text. Several cells are joined by a blank. `missing` says which words mean that it is not known.

    `changes` is where `missing` counts the words that it was not sure of, if it does.
    """

    def __init__(self, missing: IsMissing, changes: Counter[str] | None = None) -> None:
        self.changes: Counter[str] = Counter() if changes is None else changes
        self._missing = missing

    def read(self, cells: Sequence[object]) -> object:
        """Return cleaned text, or `MISSING`. Raises `UnreadableCell`."""
        if len(cells) == 1:
            return self._one(cells[0])
        values = [value for value in map(self._one, cells) if isinstance(value, str)]
        return " ".join(values) if values else MISSING

    def _one(self, cell: object) -> object:
        if cell is None:
            return MISSING
        text = _whole(clean(cell if isinstance(cell, str) else _text_of(cell), self.changes))
        if len(text) > LONGEST_PLACEHOLDER:
            return text
        if text in surely_dittos():
            # Where the value above is known, it is here by now.
            raise UnreadableCell(IS_DITTO)
        return MISSING if not text or self._missing(text) else text


class CodeReader:
    """Reads text that is often made of digits: identifiers, postal codes, telephone numbers.

    `whole_floats` says that the column contains whole numbers which a spreadsheet has written as `1425.0`. Several
    cells are joined by `joined_by`. If `all_needed`, the value is missing as soon as one of them is. With
    `needs_digit`, a value without a digit does not count: "ask the director" is not a telephone number.
    `made_dates` says that dates with the name of a month are what a spreadsheet has made of codes.
    """

    def __init__(
        self,
        missing: IsMissing,
        *,
        whole_floats: bool,
        zero_is_missing: bool = False,
        joined_by: str = " ",
        all_needed: bool = False,
        needs_digit: bool = False,
        made_dates: bool = False,
    ) -> None:
        self.changes: Counter[str] = Counter()
        self._missing = missing
        self._whole_floats = whole_floats
        self._zero_is_missing = zero_is_missing
        self._joined_by = joined_by
        self._all_needed = all_needed
        self._needs_digit = needs_digit
        self._made_dates = made_dates

    def read(self, cells: Sequence[object]) -> object:
        """Return cleaned text, or `MISSING`. Raises `UnreadableCell`."""
        value = self._one(cells[0]) if len(cells) == 1 else self._joined(cells)
        if self._needs_digit and isinstance(value, str) and not any(map(str.isdecimal, value)):
            raise UnreadableCell("has no digit")
        return value

    def _joined(self, cells: Sequence[object]) -> object:
        values = [self._one(cell) for cell in cells]
        texts = [value for value in values if isinstance(value, str)]
        if not texts or (self._all_needed and len(texts) < len(values)):
            return MISSING
        joined = self._joined_by.join(texts)
        return _shortened(joined) if self._all_needed and len(joined) > _LONGEST_IDENTIFIER else joined

    def _one(self, cell: object) -> object:
        if cell is None:
            return MISSING
        text = _whole(clean(cell, self.changes) if isinstance(cell, str) else self._native(cell))
        if not text or self._missing(text) or (self._zero_is_missing and _SAME_ZEROS.fullmatch(text)):
            return MISSING
        if not text[0].isalnum():
            # In a spreadsheet, '0123 is the text of a number.
            text = text.lstrip("'") if text[1:2].isdigit() else text
            bare = text.lstrip(_SIGNS_IN_FRONT)
            if bare != text and bare[:1].isdecimal():
                self.changes["signs in front of postal codes and telephone numbers, such as 〒, are left out"] += 1
                text = bare
        if not text.isascii():
            text = text.translate(_FULL_WIDTH)
            text = ascii_digits(text) if any(map(str.isdecimal, text)) else text
        if self._made_dates and not text.isdigit() and is_made_date(text):
            raise UnreadableCell(IS_MADE_DATE)
        if text[0].isdigit() and text[-1].isdigit() and not text.isdigit():
            return self._without_fraction(text)
        return text

    def _native(self, cell: object) -> str:
        if isinstance(cell, float) and math.isfinite(cell) and integer_text(cell) is None and cell == int(cell):
            raise UnreadableCell("is a number with more digits than a spreadsheet keeps")
        return _text_of(cell).strip()

    def _without_fraction(self, text: str) -> str:
        if self._whole_floats and (whole := _WHOLE_FLOAT.fullmatch(text)):
            self.changes["whole numbers written as 1425.0; leading zeros, if there were any, are lost"] += 1
            return whole[1]
        if exponent := _EXPONENT.fullmatch(text):
            fraction = exponent[2] or ""
            if len(fraction.rstrip("0")) > int(exponent[3]):
                return text
            if len(fraction) < int(exponent[3]):
                raise UnreadableCell("is a number that a spreadsheet has rounded, such as 5.4E+09")
            self.changes["whole numbers written as 1.425E+03; leading zeros, if there were any, are lost"] += 1
            return exponent[1] + fraction[: int(exponent[3])]
        return text


def _shortened(joined: str) -> str:
    """Return the beginning of a joined identifier and a hash of all of it, which is the same in each delivery."""
    digest = hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return f"{joined[: _LONGEST_IDENTIFIER - _DIGEST - 1].rstrip()}~{digest}"


def has_whole_floats(sample: Sequence[object]) -> bool:
    """Return whether the numbers with a point in a column are all whole, such as `1425.0`."""
    texts = [cell.strip() for cell in sample if isinstance(cell, str)]
    return any(map(_WHOLE_FLOAT.fullmatch, texts)) and not any(map(_FRACTION.fullmatch, texts))


class HospitalTypeReader:
    """Reads `single` or `multi`, and their exact synonyms. Other lists use the word for other kinds of type."""

    def __init__(self, missing: Callable[[str], bool]) -> None:
        self.changes: Counter[str] = Counter()
        self._missing = missing

    def read(self, cells: Sequence[object]) -> object:
        """Return `single` or `multi`, or `MISSING`. Raises `UnreadableCell`."""
        cell = one_cell(cells)
        if cell is None:
            return MISSING
        text = clean(_text_of(cell), self.changes)
        if not text or self._missing(text):
            return MISSING
        found = _types().get(word_key(text))
        if found is None:
            raise UnreadableCell("is neither single nor multi (speciality)")
        return found
