import math
import tracemalloc
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict, TypeAdapter, ValidationError

from worker.contract import fields

SECRET = "Zebra-4711"


def check(kind: Any, value: object) -> Any:
    # Strict as the payload models are. A `strict` argument of the call would override the lax types as well.
    return TypeAdapter(kind, config=ConfigDict(strict=True)).validate_python(value)


def refusal(kind: Any, value: object) -> str:
    """Return the reasons for which `value` is refused, without the rest of pydantic's message."""
    with pytest.raises(ValidationError) as caught:
        check(kind, value)
    return "; ".join(details["msg"] for details in caught.value.errors())


@pytest.mark.parametrize(
    "text",
    [
        "Klinikum rechts der Isar",
        "می\u200cروم",  # a joiner within a Persian word
        "\u2067مستشفى\u2069",  # isolates
        "\u202bمستشفى\u202c",
        "Clinic \U0001f468\u200d⚕️",
        "A\u00a0B",
        "A\u3000B",
        "a\u0301",
        "医院",
        "Soft\u00adhyphen",
        "\ue000",  # private use: some East Asian feeds have it in names
        "-",
    ],
)
def test_real_text_passes_unchanged(text: str) -> None:
    assert check(fields.Name, text) == text


@given(st.characters(categories=["Cc"], exclude_characters="\t\n\v\f\r\x85"))
def test_control_characters_are_refused_at_any_position(character: str) -> None:
    for text, position in ((character + "ab", 0), (f"a{character}b", 1), ("ab" + character, 2)):
        assert f"control character U+{ord(character):04X} at position {position}" in refusal(fields.Name, text)
        assert "control character" in refusal(fields.AttributeValue, text)


@pytest.mark.parametrize("character", ["\t", "\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"])
def test_line_breaks_are_stripped_at_the_ends_and_refused_inside(character: str) -> None:
    assert check(fields.Name, f"{character}ab{character}") == "ab"
    assert "at position 1" in refusal(fields.Name, f"a{character}b")


@pytest.mark.parametrize("surrogate", ["\ud800", "a\udc80b"])
def test_lone_surrogates_are_refused(surrogate: str) -> None:
    for kind in (fields.Name, fields.AttributeValue):
        assert f"lone surrogate at position {surrogate.find('a') + 1}" in refusal(kind, surrogate)


@pytest.mark.parametrize(
    "text",
    ["", "  ", "\u00a0\u3000", "\u200b", "\u200d\u2060", "\ufeff", "\u0301", "\u202e", "\u00ad",
     "\u3164", "\u115f\u1160", "\u2800", "\u200b \u0301", "\ufe0f"],
)  # fmt: skip
@pytest.mark.parametrize(
    "kind", [fields.Name, fields.ShortText, fields.Reason, fields.ExternalId, fields.HospitalId]
)
def test_text_without_a_visible_character_is_refused(kind: Any, text: str) -> None:
    assert refusal(kind, text) in {
        "String should have at least 1 character",
        "Value error, contains no visible character",
    }


@pytest.mark.parametrize(
    ("kind", "most"),
    [(fields.Name, 300), (fields.ShortText, 200), (fields.Reason, 1_000), (fields.ExternalId, 128),
     (fields.HospitalId, 6_000), (fields.AttributeValue, 1_000), (fields.Source, 64),
     (fields.AttributeName, 64)],
)  # fmt: skip
def test_the_length_of_text_is_limited(kind: Any, most: int) -> None:
    assert check(kind, "a" * most)
    assert refusal(kind, "a" * (most + 1))


@pytest.mark.parametrize("source", ["cms", "a", "0-9", "my.feed_2"])
def test_valid_sources_are_accepted(source: str) -> None:
    assert check(fields.Source, source) == source


@pytest.mark.parametrize("source", ["name", "", "CMS", ".cms", "$cms", "a:b", "cms\n", " cms", "é", "a\x00"])
def test_invalid_sources_are_refused(source: str) -> None:
    assert refusal(fields.Source, source)


@pytest.mark.parametrize("key", ["!", "~", "a:b", "0" * 200])
def test_valid_idempotency_keys_are_accepted(key: str) -> None:
    assert check(fields.IdempotencyKey, key) == key


@pytest.mark.parametrize(
    "key", ["", "a b", " a", "a\n", "a\x00", "é", "\u200b", "\ud800", "x" * 201, 7, b"a", None]
)
def test_invalid_idempotency_keys_are_refused(key: object) -> None:
    assert refusal(fields.IdempotencyKey, key) == (
        "Value error, expected 1 to 200 printable ASCII characters without spaces"
    )


@pytest.mark.parametrize("name", ["$gt", "a.b", "", "1a", "_id", "a b", "a\n", "a\x00", "é", "\ud800", "[key]"])
def test_invalid_attribute_names_are_refused(name: str) -> None:
    assert refusal(fields.Attributes, {name: 1})


def test_the_number_of_attributes_is_limited() -> None:
    assert check(fields.Attributes, {f"a{n}": n for n in range(50)})
    assert "at most 50" in refusal(fields.Attributes, {f"a{n}": n for n in range(51)})


@given(
    st.one_of(
        st.booleans(),
        st.integers(fields.INT64_MIN, fields.INT64_MAX),
        st.floats(-(2.0**62), 2.0**62),
        st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=1_000),
    )
)
def test_attribute_values_keep_value_and_type(value: object) -> None:
    kept = check(fields.AttributeValue, value)
    assert kept == value
    assert type(kept) is type(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "not a finite number"),
        (math.inf, "not a finite number"),
        (-math.inf, "not a finite number"),
        (2**63, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        (10**400, "64 bits"),
        (float(2**64), "64 bits"),  # the value that orjson reads from that integer in JSON
        (1e300, "64 bits"),
        (None, "expected text"),
        ([1], "expected text"),
        ({"$gt": ""}, "expected text"),
        (b"bytes", "expected text"),
    ],
)
def test_invalid_attribute_values_are_refused(value: object, reason: str) -> None:
    assert reason in refusal(fields.AttributeValue, value)


@pytest.mark.parametrize("kind", [fields.Beds, fields.Revision])
@pytest.mark.parametrize("value", [-1, 2**63, 10**400, 7.0, "7", True, math.nan, None])
def test_whole_numbers_are_strict_and_limited(kind: Any, value: object) -> None:
    assert refusal(kind, value)


def test_integers_too_long_to_print_are_refused() -> None:
    for kind in (fields.Beds, fields.Revision, fields.AttributeValue, fields.Longitude, fields.Instant):
        assert refusal(kind, 10**5_000)


@pytest.mark.parametrize(("kind", "most"), [(fields.Longitude, 180), (fields.Latitude, 90)])
def test_coordinates_accept_integers_and_are_limited(kind: Any, most: int) -> None:
    assert check(kind, most) == most
    assert isinstance(check(kind, -most), float)
    for value in (most + 0.001, -most - 1, math.nan, math.inf, 10**400, "1", True):
        assert refusal(kind, value)


@given(
    st.datetimes(datetime(1900, 1, 2), datetime(2024, 12, 31)),  # noqa: DTZ001 - the offset is added below
    st.integers(-23 * 60, 23 * 60),
)
def test_instants_become_utc_milliseconds(moment: datetime, minutes: int) -> None:
    moment = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    for given_as in (moment, moment.isoformat()):
        instant = check(fields.Instant, given_as)
        assert instant.tzinfo is UTC
        assert timedelta(0) <= moment - instant < timedelta(milliseconds=1)
        assert instant.microsecond % 1_000 == 0


@pytest.mark.parametrize(
    "value",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=14))),
        "1899-12-31T23:59:59Z",
        "1900-01-01T00:00:00+00:01",
        "2025-06-30",
        "2025-06-30T12:00:00",
        datetime(2025, 6, 30),  # noqa: DTZ001 - without an offset on purpose
        date(2025, 6, 30),
        "1700000000",
        "-1",
        " 1700000000",
        1_700_000_000,
        1.7e9,
        10**400,
        True,
        None,
        "",
        "\ud800",
        "2025-13-01T00:00:00Z",
    ],
)
def test_invalid_instants_are_refused(value: object) -> None:
    assert refusal(fields.Instant, value)


def test_an_instant_may_be_at_most_a_day_in_the_future() -> None:
    # Computed here, because parameters are computed before the run starts.
    assert check(fields.Instant, datetime.now(UTC) + timedelta(hours=23))
    assert (
        refusal(fields.Instant, datetime.now(UTC) + timedelta(days=1, minutes=1))
        == "Value error, is more than a day in the future"
    )


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (fields.Name, SECRET * 100),
        (fields.Name, SECRET + "\x00"),
        (fields.Source, SECRET),
        (fields.IdempotencyKey, SECRET + " "),
        (fields.Beds, SECRET),
        (fields.Beds, 471_100),
        (fields.Instant, SECRET),
        (fields.Instant, f"2025-{SECRET}"),
        (fields.AttributeValue, [SECRET]),
        (fields.AttributeValue, SECRET * 1_000),
        (fields.AttributeValue, SECRET + "\ud800"),
        (fields.Longitude, 4711),
    ],
)
def test_messages_never_repeat_the_value(kind: Any, value: object) -> None:
    assert "4711" not in refusal(kind, value)


@pytest.mark.parametrize("first", [0, 1])
def test_the_two_instants_of_a_repeated_hour_stay_apart(first: int) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    hours = {0: 0, 1: 1}
    for fold in (first, 1 - first):
        given = datetime(2024, 10, 27, 2, 30, tzinfo=berlin, fold=fold)
        assert check(fields.Instant, given) == datetime(2024, 10, 27, hours[fold], 30, tzinfo=UTC)


def test_an_instant_is_read_the_same_each_time() -> None:
    for text in ("2024-10-27T02:30:00+02:00", "2024-10-27T00:30:00Z", f"2024-10-27T00:30:00.{'0' * 100}Z"):
        for _ in range(2):
            assert check(fields.Instant, text) == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)


def test_texts_of_instants_take_little_memory() -> None:
    tracemalloc.start()
    for number in range(3_000):
        check(fields.Instant, f"2024-10-27T00:30:00.{number:06}{'0' * 10_000}Z")
    assert tracemalloc.get_traced_memory()[0] < 1_000_000
    tracemalloc.stop()
