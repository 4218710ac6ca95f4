"""In addition to tests/unit/test_codec.py: thousands of hostile envelopes, large ones, and spliced signatures."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.envelopes import Envelopes
from worker.codec import Codec
from worker.errors import InvalidEnvelope

KEY = ("fuzz", "secret-of-the-fuzzer")
_LARGE = 8 * 1024 * 1024
_LONGEST_S = 2.0


def decoded(codec: Codec, data: bytes) -> dict[str, Any] | None:
    """Return the message, or `None` after a short `InvalidEnvelope`; any other exception fails the test."""
    try:
        return codec.decode(data)
    except InvalidEnvelope as error:
        refusal = str(error)
    assert len(refusal) < 200
    return None


@pytest.mark.parametrize("keys", [{}, dict([KEY])], ids=["unsigned", "signed"])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_a_hostile_envelope_is_refused_or_can_be_encoded_again(keys: dict[str, str], seed: int) -> None:
    codec = Codec(keys)
    jobs = Envelopes(seed, signing_key=KEY if keys else None, large=False)
    read = [decoded(codec, job.payload) for job in jobs.take(300)]
    accepted = [message for message in read if message is not None]
    # The jobs refuse invalid payloads in valid envelopes; the codec refuses all other faults.
    assert 50 < len(accepted) < 250
    assert all(codec.decode(codec.encode(message)) == message for message in accepted)


@given(
    st.lists(st.sampled_from([b"[", b'{"a":', b'{"":[', b"[[],", b"[{},", b'[{"b":0},']), min_size=1, max_size=5),
    st.integers(1, 40_000),
    st.sampled_from([b'{"v":1,"f":"f","et":1,"a":[%b]}', b'{"v":1,"f":"f","et":1,"a":[],"k":{"x":%b}}', b"%b"]),
)
@settings(max_examples=60, deadline=None)
def test_nesting_of_any_depth_is_decoded_or_refused(units: list[bytes], times: int, around: bytes) -> None:
    opening = b"".join(units) * times
    closing = _open_brackets(opening)[::-1].translate(bytes.maketrans(b"[{", b"]}"))
    message = decoded(Codec(), around % (opening + b"0" + closing))
    if message is not None:
        assert Codec().decode(Codec().encode(message)) == message
    assert decoded(Codec(), around % opening) is None


@pytest.mark.parametrize(
    "unit",
    [b"[", b"{", b"[]", b"[],", b'"', b"\\", b'\\"', b"1", b"-", b"9e9", b"0.", b" ", b"\xff", b"\x00", b":",
     b'"a":1,', b'{"a":', b"\\u0000", b"\\ud800", b"\xf0\x9f\x8f\xa5"],
)  # fmt: skip
def test_large_envelopes_are_decoded_or_refused_quickly(unit: bytes) -> None:
    filling = unit * (_LARGE // len(unit))
    for data in (filling, b'{"v":1,"f":"f","et":1,"a":[%b]}' % filling, b'{"v":1,"f":"%b"' % filling):
        began = time.process_time()
        decoded(Codec(), data)
        assert time.process_time() - began < _LONGEST_S


@given(st.data())
@settings(deadline=None)
def test_pieces_of_two_signed_messages_do_not_make_a_third(data: st.DataObject) -> None:
    codec = Codec(dict([KEY]))
    job: dict[str, Any] = {"t": None, "f": "f", "a": [], "k": {}, "et": 1}
    one, other = codec.encode(job), codec.encode({**job, "f": "g", "a": [{"hospital_id": "x"}]})
    cut, joint = data.draw(st.integers(0, len(one))), data.draw(st.integers(0, len(other)))
    spliced = one[:cut] + other[joint:]
    message = decoded(codec, spliced)
    assert (message is not None) == (spliced in (one, other))


def _open_brackets(text: bytes) -> bytes:
    """Return the brackets of `text` that are still open at its end."""
    stack = bytearray()
    for mark in text:
        if mark in b"[{":
            stack.append(mark)
        elif mark in b"]}":
            stack.pop()
    return bytes(stack)
