"""The wire format of jobs and results: versioned JSON, optionally signed, never pickle.

It goes into arq as `job_serializer` and `job_deserializer`. `docs/protocol.md` tells it to those who write
to Redis from other languages. A signed message is `hmac-sha256:KEY_ID:HEX_DIGEST:` followed by the JSON that
the digest was made of.
"""

import asyncio
import hmac
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from pydantic import BaseModel

from worker.errors import InvalidEnvelope, RemoteError, UntrustedEnvelope

WIRE_VERSION = 1
MAX_JOB_BYTES = 16 * 1024 * 1024
"""The largest envelope of a job that is taken: far above what a full chunk of ordinary records needs."""
_SCHEME = b"hmac-sha256"
_EXCEPTION = "__exception__"
_MAX_MESSAGE = 2_000
_MAX_TRACEBACK = 8_000
# arq multiplies and compares this instant; year 2286 in milliseconds is far enough and overflows nothing.
_MAX_INSTANT_MS = 10**13
_MAX_TRY = 10**6
_SAFE_BRACKETS = 200
_JOB_FIELDS: Mapping[str, tuple[type, ...]] = {
    "t": (int, type(None)),
    "f": (str,),
    "a": (list,),
    "k": (dict,),
    "et": (int,),
}
# What the fields of nearly every message have, in the order above: one look, and none at each of them.
_JOB_SHAPES = frozenset({(int, str, list, dict, int), (type(None), str, list, dict, int)})
_RESULT_FIELDS: Mapping[str, tuple[type, ...]] = {
    "s": (bool,),
    "st": (int,),
    "ft": (int,),
    "q": (str,),
}


class Codec:
    """Turns arq's job and result dictionaries into bytes and back.

    `signing_keys` maps key ids to secrets. The first signs; all verify. With no keys, nothing is signed and a
    signed message is read without being verified, so that producers can begin to sign before workers demand
    it. Numbers that are not finite are written as null: payload models refuse them before.
    """

    def __init__(self, signing_keys: Mapping[str, str] | None = None) -> None:
        # What is no UTF-8 in the environment reads as surrogates: the key is its bytes as they were.
        self._keys = {
            key_id.encode(): secret.encode("utf-8", "surrogateescape")
            for key_id, secret in (signing_keys or {}).items()
        }
        self._signer = next(iter(self._keys), None)

    @property
    def signs(self) -> bool:
        """Whether messages are signed, and so should say whose they are: see `check_job_id`."""
        return self._signer is not None

    def encode(self, message: Mapping[str, Any]) -> bytes:
        """Return the bytes of a message. Raises `TypeError` when a value has no JSON form."""
        body = orjson.dumps({"v": WIRE_VERSION, **message}, default=_json_form)
        if self._signer is None:
            return body
        return b":".join((_SCHEME, self._signer, _digest(self._keys[self._signer], body), body))

    def decode(self, data: bytes) -> dict[str, Any]:
        """Return the message in `data`.

        Raises `InvalidEnvelope` for what is not of this format or has fields of wrong types, and
        `UntrustedEnvelope` for what is not signed as the keys demand.
        """
        try:
            message = orjson.loads(self._verified_body(data))
        except orjson.JSONDecodeError:
            raise InvalidEnvelope("not a JSON envelope") from None
        if not isinstance(message, dict):
            raise InvalidEnvelope(f"expected a JSON object, got {type(message).__name__}")
        version = message.pop("v", None)
        # True and 1.0 equal 1, and are not it.
        if type(version) is not int or version != WIRE_VERSION:
            raise InvalidEnvelope(f"unknown wire version, expected {WIRE_VERSION}")
        # The two that hold nothing in nearly every job may be left out.
        message.setdefault("t", None)
        message.setdefault("k", {})
        _check_depth(data, message)
        if tuple(map(type, map(message.get, _JOB_FIELDS))) not in _JOB_SHAPES:
            _check_fields(message, _JOB_FIELDS)
        if "s" in message:
            _check_fields(message, _RESULT_FIELDS)
            message["r"] = _restored(message.get("r"))
        elif len(data) > MAX_JOB_BYTES:
            # Not so for results: that of a chunk tells of each of its records.
            raise InvalidEnvelope(f"{len(data):,} bytes; at most {MAX_JOB_BYTES:,} are taken")
        _check_ranges(message)
        return message

    def _verified_body(self, data: bytes) -> bytes:
        if not data.startswith(_SCHEME + b":"):
            if self._keys:
                raise UntrustedEnvelope("unsigned; sign it with a key of QUEUE_SIGNING_KEYS")
            return data
        parts = data.split(b":", 3)
        if len(parts) != 4:
            raise InvalidEnvelope("broken signature header")
        _, key_id, digest, body = parts
        if self._keys:
            secret = self._keys.get(key_id)
            if secret is None:
                raise UntrustedEnvelope("signed with a key that QUEUE_SIGNING_KEYS does not hold")
            if not hmac.compare_digest(digest, _digest(secret, body)):
                raise UntrustedEnvelope("the signature does not fit the content")
        return body


def check_job_id(message: Mapping[str, Any], job_id: str) -> None:
    """Raise `InvalidEnvelope` for a message of another job than `job_id`; one that names none may be anybody's.

    The key that a message lies under is not signed: what is must say itself which job it belongs to.
    """
    if message.get("id", job_id) != job_id:
        raise InvalidEnvelope("made for a job of another id")


def exception_form(error: BaseException) -> dict[str, str]:
    """Return an exception as its type, the start of its message and the end of its traceback."""
    if isinstance(error, RemoteError):
        return {
            "type": error.kind,
            "message": error.message,
            "traceback": error.traceback,
        }
    told = _told(error)
    return {
        "type": type(error).__name__,
        "message": _writable(str(told))[:_MAX_MESSAGE],
        "traceback": _writable("".join(_lines(told)))[-_MAX_TRACEBACK:],
    }


def _told(error: BaseException) -> traceback.TracebackException:
    # What tells of an exception even if its own __str__ fails. Left to itself it asks the disk for each file of
    # the traceback and parses each line of it, to underline a part: two thirds of the time that this takes.
    told = traceback.TracebackException(type(error), error, None, compact=True)
    told.stack = traceback.StackSummary.from_list(
        [
            traceback.FrameSummary(frame.f_code.co_filename, line, frame.f_code.co_name, lookup_line=False)
            for frame, line in traceback.walk_tb(error.__traceback__)
        ]
    )
    return told


def _lines(told: traceback.TracebackException) -> Iterator[str]:
    if told.__cause__ is not None or told.__context__ is not None or told.exceptions is not None:
        yield from told.format()
        return
    # The same text in half the time, of which a queue full of garbage takes the most.
    if told.stack:
        yield "Traceback (most recent call last):\n"
    for place in told.stack:
        yield f'  File "{place.filename}", line {place.lineno}, in {place.name}\n'
        if place.line:
            yield f"    {place.line}\n"
    yield from told.format_exception_only()


def _writable(text: str) -> str:
    # File names and driver errors can hold lone surrogates, which JSON in UTF-8 cannot.
    return text.encode("utf-8", "backslashreplace").decode()


def _digest(secret: bytes, body: bytes) -> bytes:
    return hmac.digest(secret, body, "sha256").hex().encode()


def _json_form(value: object) -> object:
    if isinstance(value, BaseModel):
        # What was not said is left out: readers of outcomes and of payloads fill in the defaults.
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, BaseException):
        return {_EXCEPTION: exception_form(value)}
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _restored(result: object) -> object:
    if isinstance(result, dict) and set(result) == {_EXCEPTION} and isinstance(result[_EXCEPTION], dict):
        told = result[_EXCEPTION]
        if told.get("type") == "CancelledError":
            # arq's `Job.abort` tells a job that was aborted by this class.
            return asyncio.CancelledError(str(told.get("message")))
        return RemoteError(str(told.get("type")), str(told.get("message")), str(told.get("traceback")))
    return result


def _check_fields(message: Mapping[str, Any], fields: Mapping[str, tuple[type, ...]]) -> None:
    for name, types in fields.items():
        value = message.get(name)
        # Not isinstance, to which a bool is an int.
        if type(value) not in types:
            expected = " or ".join(kind.__name__ for kind in types)
            raise InvalidEnvelope(f"field {name!r}: expected {expected}, got {type(value).__name__}")


def _check_ranges(message: Mapping[str, Any]) -> None:
    for name in ("et", "st", "ft") if "s" in message else ("et",):
        if not 0 <= message[name] <= _MAX_INSTANT_MS:
            raise InvalidEnvelope(f"field {name!r}: not a time in milliseconds")
    if message["t"] is not None and not 0 <= message["t"] <= _MAX_TRY:
        raise InvalidEnvelope("field 't': not the number of a try")


def _check_depth(data: bytes, message: Mapping[str, Any]) -> None:
    # orjson reads 1,024 levels and writes 254: what is read here must be writable with the job's result.
    # Counting brackets is cheap and clears nearly every message.
    if data.count(b"[") + data.count(b"{") <= _SAFE_BRACKETS:
        return
    try:
        orjson.dumps(message)
    except orjson.JSONEncodeError:
        raise InvalidEnvelope("nested too deeply") from None
