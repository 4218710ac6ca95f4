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
    BaseModel,
    BeforeValidator,
    Field,
    PlainValidator,
    StringConstraints,
)

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1
MAX_ATTRIBUTES = 50
MAX_ATTRIBUTE_TEXT = 1_000
# A source whose clock runs ahead would otherwise lock every later observation out.
MAX_CLOCK_LEAD = timedelta(days=1)
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_PRINTABLE_KEY = re.compile(r"[!-~]{1,200}")
# Format characters, separators, and marks that have nothing to stand on.
_UNSEEN_CATEGORIES = frozenset({"Cf", "Zs", "Mn", "Mc", "Me"})
# Dead letters and a symbol by category, yet drawn as nothing: Hangul fillers, Braille blank.
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def _printable(text: str) -> str:
    # str.isprintable is a C loop and true of nearly all real text; only the rest is looked at one by one.
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
    # Stripped, printable ASCII, and so nearly all text, needs no closer look.
    if text.isascii() and text.isprintable():
        return text
    # Format characters stay legal inside a text: names need joiners in Persian, direction marks in Arabic.
    for character in _printable(text):
        if character not in _BLANK_LETTERS and unicodedata.category(character) not in _UNSEEN_CATEGORIES:
            return text
    raise ValueError("holds no visible character")


def _not_reserved(source: str) -> str:
    if source == "name":
        raise ValueError("'name' is reserved for identities made from a hospital's name")
    return source


def _instant_or_text(value: object) -> object:
    # pydantic reads a text of digits as seconds or milliseconds since 1970, whichever looks likelier.
    if isinstance(value, datetime) or (isinstance(value, str) and value[4:5] == "-"):
        return value
    raise ValueError("expected an ISO 8601 instant with its offset, such as 2025-06-30T12:00:00Z")


def _plausible(instant: datetime) -> datetime:
    if instant < EARLIEST:
        raise ValueError("lies before 1900")
    if instant > datetime.now(UTC) + MAX_CLOCK_LEAD:
        raise ValueError("lies more than a day ahead")
    # MongoDB stores milliseconds; cutting here keeps what is compared equal to what is stored.
    return instant.astimezone(UTC).replace(microsecond=instant.microsecond // 1000 * 1000)


def _attribute_value(value: object) -> bool | int | float | str:
    match value:
        case bool():
            return value
        case int():
            if not INT64_MIN <= value <= INT64_MAX:
                raise ValueError("integer does not fit 64 bits")
            return value
        case float():
            if not math.isfinite(value):
                raise ValueError("not a finite number")
            # orjson reads an integer past 64 bits as the nearest float: it would be stored changed.
            if abs(value) >= 2**63:
                raise ValueError("number does not fit 64 bits")
            return value
        case str():
            if len(value) > MAX_ATTRIBUTE_TEXT:
                raise ValueError(f"longer than {MAX_ATTRIBUTE_TEXT} characters")
            return _printable(value)
    raise ValueError("expected text, a number or a boolean")


def _idempotency_key(value: object) -> str:
    if isinstance(value, str) and _PRINTABLE_KEY.fullmatch(value):
        return value
    raise ValueError("expected 1 to 200 printable ASCII characters without spaces")


def _tuple_of_list(value: object) -> object:
    # A JSON array arrives as a list, which strict mode refuses for a tuple; lax mode would take a set too.
    return tuple(value) if isinstance(value, list) else value


def _bounded_text(max_length: int) -> tuple[StringConstraints, AfterValidator]:
    return (
        StringConstraints(strip_whitespace=True, min_length=1, max_length=max_length),
        AfterValidator(_legible),
    )


Name = Annotated[str, *_bounded_text(300)]
ShortText = Annotated[str, *_bounded_text(200)]
Reason = Annotated[str, *_bounded_text(1_000)]
ExternalId = Annotated[str, *_bounded_text(128)]
HospitalId = Annotated[str, *_bounded_text(6_000)]
# It becomes part of a job id, which is a Redis key and is typed on command lines.
IdempotencyKey = Annotated[str, PlainValidator(_idempotency_key)]
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
    AfterValidator(_plausible),
    BeforeValidator(_instant_or_text),
]
# One plain function instead of a union: a union would report a problem for each of its members.
AttributeValue = Annotated[bool | int | float | str, PlainValidator(_attribute_value)]
Attributes = Annotated[dict[AttributeName, AttributeValue], Field(max_length=MAX_ATTRIBUTES)]


class GeoPoint(BaseModel, extra="forbid", strict=True, frozen=True):
    """A GeoJSON point: longitude before latitude, in degrees."""

    type: Literal["Point"] = "Point"
    coordinates: Annotated[tuple[Longitude, Latitude], BeforeValidator(_tuple_of_list)]
