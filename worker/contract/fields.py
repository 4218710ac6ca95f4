"""The field types that payloads are built from: text, identifiers, numbers, instants, attributes, points.

The limits keep a document far below MongoDB's 16 MB. They keep operators (`$…`) and paths (`a.b`) out of field
names, and they refuse values that cannot be stored or read back: NUL, lone surrogates, NaN, integers past 64
bits. The messages of these validators never repeat the value.
"""

import math
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    PlainValidator,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticKnownError

from worker.contract.deferred import Deferred

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1
MAX_ATTRIBUTES = 50
MAX_ATTRIBUTE_TEXT = 1_000
# Without this limit, one record from a source whose clock runs ahead would block every later observation.
MAX_CLOCK_LEAD = timedelta(days=1)
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
# Characters with the Unicode property White_Space. `str.strip()` would remove some control characters as well.
_WHITE_SPACE = "".join(
    ("\t\n\v\f\r \x85\xa0\u1680", *map(chr, range(0x2000, 0x200B)), "\u2028\u2029\u202f\u205f\u3000")
)
# An instant that is not after it need not be compared with the clock.
_IMPORTED_AT = datetime.now(UTC)
_PRINTABLE_KEY = re.compile(r"[!-~]{1,200}")
# Instants by their text. Two of the repeated hour in autumn are equal as `datetime`, so these are not kept.
_read_instants: dict[str, datetime] = {}
_MOST_KEPT_INSTANTS, _LONGEST_KEPT_INSTANT = 1_000, 40
# What stands in a key's place in the id of a job that has none. It is refused as a key, so an id shows which it is.
NO_KEY = re.compile(r"~[A-Za-z0-9_-]{16}")
BATCH_MARK = "~batch:"
"""Stands before the id of the batch in the id of a job of a batch. No key begins with it, so a batch and a call
with a key never share a job."""
# Format characters, spaces and combining marks: a text of these alone shows nothing.
_INVISIBLE_CATEGORIES = frozenset({"Cf", "Zs", "Mn", "Mc", "Me"})
# Hangul fillers and the Braille blank: letters and a symbol by category, but drawn as blanks.
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def _printable(text: str) -> str:
    # `str.isprintable` runs in C and is true for nearly all real text; only other text is checked by character.
    if not text.isprintable():
        for position, character in enumerate(text):
            category = unicodedata.category(character)
            if category == "Cc":
                raise ValueError(f"control character U+{ord(character):04X} at position {position}")
            if category == "Cs":
                raise ValueError(f"lone surrogate at position {position}")
            if category in ("Zl", "Zp"):
                raise ValueError(f"line separator U+{ord(character):04X} at position {position}")
    return text


def _legible(text: str) -> str:
    # Format characters are valid inside a text: Persian names need joiners, Arabic names need direction marks.
    for character in _printable(text):
        if character not in _BLANK_LETTERS and unicodedata.category(character) not in _INVISIBLE_CATEGORIES:
            return text
    raise ValueError("contains no visible character")


def _not_reserved(source: str) -> str:
    if source == "name":
        raise ValueError("'name' is reserved for identities made from a hospital's name")
    return source


def _instant(value: object, read: ValidatorFunctionWrapHandler) -> datetime:
    if type(value) is str:
        # The rows of a list have few instants.
        if (known := _read_instants.get(value)) is not None:
            return known
        # pydantic would read a text of digits as seconds or milliseconds since 1970, and guess which.
        if value[4:5] == "-":
            instant = _plausible(read(value))
            if len(value) <= _LONGEST_KEPT_INSTANT:
                if len(_read_instants) >= _MOST_KEPT_INSTANTS:
                    _read_instants.clear()
                _read_instants[value] = instant
            return instant
    elif type(value) is datetime and value.tzinfo is UTC:
        return _plausible(value)
    elif isinstance(value, datetime):
        return _plausible(read(value))
    raise ValueError("expected an ISO 8601 instant with its offset, such as 2025-06-30T12:00:00Z")


def _plausible(instant: datetime) -> datetime:
    # This runs for every row of a file. Instants of one time zone object are compared several times as fast.
    if instant.tzinfo is not UTC and not instant.utcoffset():
        instant = instant.replace(tzinfo=UTC)
    if instant < EARLIEST:
        raise ValueError("is before 1900")
    if instant > _IMPORTED_AT and instant > datetime.now(UTC) + MAX_CLOCK_LEAD:
        raise ValueError("is more than a day in the future")
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    # MongoDB stores milliseconds; truncating here keeps a compared value equal to the stored one.
    beyond = instant.microsecond % 1000
    return instant.replace(microsecond=instant.microsecond - beyond) if beyond else instant


def _attribute_value(value: object) -> bool | int | float | str:
    match value:
        case bool():
            return value
        case int():
            if not INT64_MIN <= value <= INT64_MAX:
                raise ValueError("integer does not fit in 64 bits")
            return value
        case float():
            if not math.isfinite(value):
                raise ValueError("not a finite number")
            # orjson reads an integer beyond 64 bits as the nearest float, so a changed value would be stored.
            if abs(value) >= 2**63:
                raise ValueError("number does not fit in 64 bits")
            return value
        case str():
            if len(value) > MAX_ATTRIBUTE_TEXT:
                raise ValueError(f"longer than {MAX_ATTRIBUTE_TEXT} characters")
            return _printable(value)
    raise ValueError("expected text, a number or a boolean")


def _idempotency_key(value: object) -> str:
    if isinstance(value, str) and _PRINTABLE_KEY.fullmatch(value):
        if NO_KEY.fullmatch(value):
            raise ValueError("'~' and 16 letters, digits, '-' or '_' are reserved: choose another key")
        if value.startswith(BATCH_MARK):
            raise ValueError(f"'{BATCH_MARK}' at the start is reserved for jobs of batches: choose another key")
        return value
    raise ValueError("expected 1 to 200 printable ASCII characters without spaces")


def _list_to_tuple(value: object) -> object:
    # A JSON array arrives as a list, which strict mode refuses for a tuple; lax mode would also accept a set.
    return tuple(value) if isinstance(value, list) else value


def _legible_text(max_length: int) -> AfterValidator:
    """Strip white space, and refuse a text that is empty, too long or illegible."""

    # A record has a dozen texts. One function for all of this takes two thirds of the time of pydantic's
    # constraints and a function besides, because theirs copy each text to strip it.
    def read(text: str) -> str:
        plain = text.isascii() and text.isprintable()
        text = text.strip(" ") if plain else text.strip(_WHITE_SPACE)
        if not text:
            raise PydanticKnownError("string_too_short", {"min_length": 1})
        if len(text) > max_length:
            raise PydanticKnownError("string_too_long", {"max_length": max_length})
        return text if plain else _legible(text)

    return AfterValidator(read)


Name = Annotated[str, _legible_text(300)]
ShortText = Annotated[str, _legible_text(200)]
Reason = Annotated[str, _legible_text(1_000)]
ExternalId = Annotated[str, _legible_text(128)]
HospitalId = Annotated[str, _legible_text(6_000)]
# Part of a job id, and so of Redis keys and of commands that an operator types.
IdempotencyKey = Annotated[str, PlainValidator(_idempotency_key)]
ImportId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,199}$")]
# The number of a row in its file, from 1.
Line = Annotated[int, Field(ge=1, le=INT64_MAX)]
Source = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$"),
    AfterValidator(_not_reserved),
]
AttributeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
Revision = Annotated[int, Field(ge=1, le=INT64_MAX)]
Beds = Annotated[int, Field(ge=0, le=100_000)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Instant = Annotated[
    AwareDatetime,
    Field(strict=False),
    WrapValidator(_instant),
]
# One function instead of a union, because a union reports a problem for each of its types.
AttributeValue = Annotated[bool | int | float | str, PlainValidator(_attribute_value)]
Attributes = Annotated[dict[AttributeName, AttributeValue], Field(max_length=MAX_ATTRIBUTES)]


class GeoPoint(Deferred, extra="forbid", strict=True, frozen=True):
    """A GeoJSON point: longitude, then latitude, in degrees."""

    type: Literal["Point"] = "Point"
    coordinates: Annotated[tuple[Longitude, Latitude], BeforeValidator(_list_to_tuple)]
