import asyncio
import math
import pickle  # noqa: TID251 - to make the bytes that must not be unpickled
import traceback
from pathlib import Path
from typing import Any

import pytest
from arq.jobs import deserialize_result, serialize_job, serialize_result
from hypothesis import given
from hypothesis import strategies as st

from worker.codec import Codec, check_job_id, exception_form
from worker.contract import IngestOutcome
from worker.errors import InvalidEnvelope, RemoteError, UntrustedEnvelope

OLD, NEW = "old-secret-old-secret", "new-secret-new-secret"
JOB: dict[str, Any] = {"t": None, "f": "f", "a": [], "k": {}, "et": 1}
RESULT: dict[str, Any] = {**JOB, "t": 1, "s": True, "r": None, "st": 1, "ft": 2, "q": "arq:queue", "id": "j"}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)
JOBS = st.fixed_dictionaries(
    {
        "t": st.none() | st.integers(0, 10**6),
        "f": TEXT,
        "a": st.lists(JSON, max_size=3),
        "k": st.dictionaries(TEXT, JSON, max_size=3),
        "et": st.integers(0, 10**13),
    }
)


def raw(**fields: str) -> bytes:
    """Return the envelope of a job with some fields replaced by JSON text."""
    parts = {"v": "1", "t": "null", "f": '"f"', "a": "[]", "k": "{}", "et": "1", **fields}
    return ("{" + ",".join(f'"{name}":{text}' for name, text in parts.items()) + "}").encode()


@pytest.mark.parametrize("keys", [{}, {"k1": NEW}])
@given(message=JOBS)
def test_a_message_survives_encoding_and_decoding(keys: dict[str, str], message: dict[str, Any]) -> None:
    codec = Codec(keys)
    assert codec.decode(codec.encode(message)) == message


@given(st.binary() | JSON.map(lambda value: Codec().encode({"v": 1, "a": value})))
@pytest.mark.parametrize("keys", [{}, {"k1": NEW}])
def test_arbitrary_bytes_are_an_invalid_envelope(keys: dict[str, str], data: bytes) -> None:
    for attempt in (data, b"hmac-sha256:" + data, b"hmac-sha256:k1:" + data):
        with pytest.raises(InvalidEnvelope):
            Codec(keys).decode(attempt)


@given(JOBS, st.data())
def test_a_changed_byte_in_a_signed_message_is_detected(message: dict[str, Any], data: st.DataObject) -> None:
    codec = Codec({"k1": NEW})
    signed = bytearray(codec.encode(message))
    signed[data.draw(st.integers(0, len(signed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InvalidEnvelope):
        codec.decode(bytes(signed))


def test_removed_and_inserted_bytes_in_a_signed_message_are_detected() -> None:
    codec = Codec({"k1": NEW})
    signed = codec.encode(JOB)
    for position in range(len(signed)):
        removed = signed[:position] + signed[position + 1 :]
        inserted = signed[:position] + b"x" + signed[position:]
        for changed in (removed, inserted, signed + b" "):
            with pytest.raises(InvalidEnvelope):
                codec.decode(changed)


def test_keys_can_be_rotated() -> None:
    before, between, after = Codec({"a": OLD}), Codec({"b": NEW, "a": OLD}), Codec({"b": NEW})
    assert between.decode(before.encode(JOB)) == JOB
    assert after.decode(between.encode(JOB)) == JOB
    with pytest.raises(UntrustedEnvelope, match="does not contain"):
        after.decode(before.encode(JOB))
    with pytest.raises(UntrustedEnvelope, match="does not match"):
        Codec({"a": NEW}).decode(before.encode(JOB))


def test_workers_without_keys_read_signed_messages_and_those_with_keys_refuse_unsigned_ones() -> None:
    assert Codec().decode(Codec({"a": OLD}).encode(JOB)) == JOB
    with pytest.raises(UntrustedEnvelope, match="unsigned"):
        Codec({"a": OLD}).decode(Codec().encode(JOB))


def test_a_message_that_names_another_job_is_refused() -> None:
    assert [Codec(keys).signs for keys in ({}, {"a": OLD})] == [False, True]
    check_job_id(JOB, "j")
    check_job_id(RESULT, "j")
    with pytest.raises(InvalidEnvelope, match="another id"):
        check_job_id(RESULT, "k")


class _Hostile:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.trace,))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("keys", [{}, {"k1": NEW}])
def test_pickle_is_refused_and_never_unpickled(tmp_path: Path, protocol: int, keys: dict[str, str]) -> None:
    hostile = pickle.dumps({**JOB, "a": [_Hostile(tmp_path / "ran")]}, protocol)
    with pytest.raises(InvalidEnvelope):
        Codec(keys).decode(hostile)
    assert not (tmp_path / "ran").exists()
    pickle.loads(hostile)  # noqa: S301 - shows that the bytes would have run code
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"1", b'"x"', b"{}", b"\xef\xbb\xbf" + raw(), raw() + b"x", raw()[:-1],
        raw(v="2"), raw(v="0"), raw(v='"1"'), raw(v="true"), raw(v="1.0"), raw(v="[1]"), raw(v="null"),
        raw(v='1,"v":2'),
        raw(t='"9"'), raw(t="true"), raw(t="1.0"), raw(t="-1"), raw(t="1000001"), raw(t=str(2**64 - 1)),
        raw(f="[]"), raw(f="null"), raw(f='"\\ud800"'), raw(f="1"),
        raw(a="{}"), raw(a="null"), raw(a='"x"'), raw(a="[NaN]"), raw(a="[1e400]"), raw(a="[Infinity]"),
        raw(k="[]"), raw(k="null"),
        raw(et="1e20"), raw(et="-1"), raw(et="true"), raw(et="null"), raw(et="9" * 400),
        raw(et="10000000000001"),
        raw(s="1"), raw(s="true"), raw(s="true", st="1", ft="1"), raw(s="true", st="1", ft="9e9", q='"q"'),
        raw(s="true", st="1", ft="99999999999999", q='"q"'), raw(s="true", st="-1", ft="1", q='"q"'),
        raw(s="true", st="1", ft="1", q="7"),
        raw(a="[" * 1_000 + "]" * 1_000), raw(k='{"a":' * 300 + "1" + "}" * 300),
        raw(a="[" * 100_000 + "]" * 100_000),
        b"hmac-sha256", b"hmac-sha256:", b"hmac-sha256:k1:00",
    ],
    ids=lambda data: data[:60].decode("ascii", "replace"),
)  # fmt: skip
def test_malformed_envelopes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidEnvelope):
        Codec().decode(data)


def test_the_last_of_two_equal_field_names_wins() -> None:
    assert Codec().decode(raw(f='"one","f":"two"'))["f"] == "two"


def test_a_decoded_message_can_be_encoded_again() -> None:
    deep = Codec().decode(raw(a="[" * 240 + "]" * 240))
    assert Codec().decode(Codec().encode(deep)) == deep
    wide = {**JOB, "a": [{"record": {}}] * 1_000}
    assert Codec().decode(Codec().encode(wide)) == wide


@pytest.mark.parametrize("secret", ["Zebra4711"])
@pytest.mark.parametrize("field", ["t", "et", "f", "a", "k", "v"])
def test_error_messages_contain_no_values(field: str, secret: str) -> None:
    with pytest.raises(InvalidEnvelope) as caught:
        Codec().decode(raw(**{field: f'{{"{secret}":["{secret}"]}}'}) if field != "k" else raw(k=f'"{secret}"'))
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [object(), b"bytes", 2**64, "\ud800", {1: 2}, {1, "mixed"}, [[[]]]],
    ids=lambda v: type(v).__name__,
)
def test_values_without_a_json_form_are_a_type_error(value: object) -> None:
    if value == [[[]]]:
        for _ in range(300):
            value = [value]
    with pytest.raises(TypeError):
        Codec().encode({**JOB, "a": [value]})


def test_numbers_that_are_not_finite_are_written_as_null() -> None:
    assert Codec().decode(Codec().encode({**JOB, "a": [math.nan, math.inf]}))["a"] == [None, None]


def test_models_and_sets_are_written_as_json() -> None:
    outcome = IngestOutcome(hospital_id="cms:1", revision=1, status="created")
    read = Codec().decode(Codec().encode({**RESULT, "r": outcome, "a": [{3, 1, 2}]}))
    assert IngestOutcome.model_validate(read["r"]) == outcome
    assert read["a"] == [[1, 2, 3]]


def _raised(error: BaseException) -> BaseException:
    try:
        raise error
    except type(error) as caught:
        return caught


class _BrokenStr(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    "error", [ValueError("too small"), KeyError("x"), _BrokenStr(), ValueError("\ud800"), ValueError("x" * 10**6)]
)
def test_every_exception_can_be_written_and_read(error: Exception) -> None:
    data = Codec().encode({**RESULT, "s": False, "r": _raised(error)})
    assert len(data) < 20_000
    read = Codec().decode(data)["r"]
    assert isinstance(read, RemoteError)
    assert read.kind == type(error).__name__
    # The dead letter has it.
    assert read.traceback == ""
    again = Codec().decode(Codec().encode({**RESULT, "r": read}))["r"]
    assert exception_form(again) == exception_form(read)


@pytest.mark.parametrize("error", [ValueError("too small"), _BrokenStr()])
def test_a_traceback_has_the_text_that_python_prints(error: Exception) -> None:
    raised = _raised(error)
    raised.add_note("a note")
    captured = traceback.TracebackException.from_exception(raised, compact=True)
    # Python also underlines the part of a line that raised; the codec does not, to save parsing the line.
    expected = [line for line in "".join(captured.format()).splitlines() if set(line) - set(" ^~")]
    assert exception_form(raised)["traceback"].splitlines() == expected


@pytest.mark.parametrize("stored", [{}, {"type": []}, {"type": None, "message": {}, "traceback": 1}])
def test_a_malformed_exception_is_still_a_remote_error(stored: object) -> None:
    read = Codec().decode(Codec().encode({**RESULT, "r": {"__exception__": stored}}))
    assert isinstance(read["r"], RemoteError)


@pytest.mark.parametrize("result", [{"__exception__": 1}, {"__exception__": {}, "more": 1}, ["__exception__"]])
def test_a_result_that_only_resembles_an_exception_is_unchanged(result: object) -> None:
    assert Codec().decode(Codec().encode({**RESULT, "r": result}))["r"] == result


def test_arq_writes_and_reads_through_the_codec() -> None:
    codec = Codec({"k1": NEW})
    job = codec.decode(serialize_job("f", ({"x": 1},), {}, None, 5, serializer=codec.encode))
    assert job == {"t": None, "f": "f", "a": [{"x": 1}], "k": {}, "et": 5}
    data = serialize_result(
        "f", (), {}, 2, 5, False, ValueError("bad"), 6, 7, "ref", "arq:queue", "j1", serializer=codec.encode
    )
    assert data is not None
    result = deserialize_result(data, deserializer=codec.decode)
    assert (result.success, result.job_try, result.job_id) == (False, 2, "j1")
    assert str(result.result) == "ValueError: bad"


def test_the_try_number_and_the_keyword_arguments_may_be_omitted() -> None:
    assert Codec().decode(b'{"v":1,"f":"f","a":[],"et":1}') == {"t": None, "f": "f", "a": [], "k": {}, "et": 1}


def test_an_aborted_job_is_read_as_the_class_that_arq_expects() -> None:
    result = {"t": 1, "f": "f", "a": [], "k": {}, "et": 1, "s": False, "st": 1, "ft": 1, "q": "q"}
    read = Codec().decode(Codec().encode({**result, "r": asyncio.CancelledError()}))["r"]
    assert isinstance(read, asyncio.CancelledError)
