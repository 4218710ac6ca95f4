"""The wire format of jobs and results: versioned JSON, optionally signed, never pickle.

arq gets it as `job_serializer` and `job_deserializer`. `docs/protocol.md` describes it for programs in other
languages that write to Redis. A signed message is `hmac-sha256:KEY_ID:HEX_DIGEST:` followed by the JSON that the
digest was computed from.
"""

import asyncio
import hmac
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from pydantic import BaseModel

from worker.errors import InvalidEnvelope, RemoteError, UntrustedEnvelope, class_name

WIRE_VERSION = 1
MAX_JOB_BYTES = 16 * 1024 * 1024
"""The largest envelope of a job that is accepted: far above what a full chunk of ordinary records needs."""
_SCHEME = b"hmac-sha256"
_SIGNED = _SCHEME + b":"
_EXCEPTION = "__exception__"
_MAX_MESSAGE = 2_000
_MAX_TRACEBACK = 8_000
_MAX_PARTS = 10_000
# arq multiplies and compares times; the year 2286 in milliseconds is late enough and cannot cause an overflow.
_MAX_INSTANT_MS = 10**13
_MAX_TRY = 10**6
_SAFE_BRACKETS = 200
_TRY_TYPES = (type(None), int)
_JOB_FIELDS: Mapping[str, tuple[type, ...]] = {
    "t": _TRY_TYPES,
    "f": (str,),
    "a": (list,),
    "k": (dict,),
    "et": (int,),
}
_RESULT_FIELDS: Mapping[str, tuple[type, ...]] = {
    "s": (bool,),
    "st": (int,),
    "ft": (int,),
    "q": (str,),
}


class Codec:
    """Converts arq's job and result dictionaries to bytes and back.

    `signing_keys` maps key ids to secrets. The first key signs; every key verifies. Without keys, nothing is signed
    and a signed message is read without verification, so that producers can begin to sign before workers require
    signatures. Numbers that are not finite are written as null; payload models refuse them before that.
    """

    def __init__(self, signing_keys: Mapping[str, str] | None = None) -> None:
        # Python reads environment bytes that are not UTF-8 as surrogates; this restores the original bytes.
        self._keys = {
            key_id.encode(): secret.encode("utf-8", "surrogateescape")
            for key_id, secret in (signing_keys or {}).items()
        }
        self._signer = next(iter(self._keys), None)

    @property
    def signs(self) -> bool:
        """Whether messages are signed. A signed message should name its job: see `check_job_id`."""
        return self._signer is not None

    def encode(self, message: Mapping[str, Any]) -> bytes:
        """Return the bytes of a message. Raises `TypeError` if a value has no JSON form."""
        body = orjson.dumps({"v": WIRE_VERSION, **message}, default=json_form)
        if self._signer is None:
            return body
        return b":".join((_SCHEME, self._signer, _digest(self._keys[self._signer], body), body))

    def decode(self, data: bytes) -> dict[str, Any]:
        """Return the message in `data`.

        Raises `InvalidEnvelope` if the data does not have this format or a field has the wrong type, and
        `UntrustedEnvelope` if there are keys and none of them verifies the message.
        """
        try:
            message = orjson.loads(self._verified_body(data))
        except orjson.JSONDecodeError:
            raise InvalidEnvelope("not a JSON envelope") from None
        if not isinstance(message, dict):
            raise InvalidEnvelope(f"expected a JSON object, got {type(message).__name__}")
        version = message.pop("v", None)
        # The type is checked too, because True and 1.0 equal 1.
        if type(version) is not int or version != WIRE_VERSION:
            raise InvalidEnvelope(f"unknown wire version, expected {WIRE_VERSION}")
        # A message may omit these two, because they are empty in nearly every job.
        message.setdefault("t", None)
        message.setdefault("k", {})
        if len(data) > _SAFE_BRACKETS:
            _check_depth(data, message)
        # The types of nearly every message: a check of each field would take three times as long.
        if not (
            type(message.get("f")) is str
            and type(message.get("a")) is list
            and type(message["k"]) is dict
            and type(message.get("et")) is int
            and type(message["t"]) in _TRY_TYPES
        ):
            _check_fields(message, _JOB_FIELDS)
        if "s" in message:
            _check_fields(message, _RESULT_FIELDS)
            message["r"] = _restored(message.get("r"))
        elif len(data) > MAX_JOB_BYTES:
            # Results have no limit: the result of a chunk reports on each of its records.
            raise InvalidEnvelope(f"{len(data):,} bytes; at most {MAX_JOB_BYTES:,} are accepted")
        _check_ranges(message)
        return message

    def _verified_body(self, data: bytes) -> bytes:
        if not data.startswith(_SIGNED):
            if self._keys:
                raise UntrustedEnvelope("unsigned; sign it with a key from QUEUE_SIGNING_KEYS")
            return data
        parts = data.split(b":", 3)
        if len(parts) != 4:
            raise InvalidEnvelope("malformed signature header")
        _, key_id, digest, body = parts
        if self._keys:
            secret = self._keys.get(key_id)
            if secret is None:
                raise UntrustedEnvelope("signed with a key that QUEUE_SIGNING_KEYS does not contain")
            if not hmac.compare_digest(digest, _digest(secret, body)):
                raise UntrustedEnvelope("the signature does not match the content")
        return body


def check_job_id(message: Mapping[str, Any], job_id: str) -> None:
    """Raise `InvalidEnvelope` if a message names another job than `job_id`. A message that names no job passes.

    The signature does not cover the Redis key of a message, so a signed message must itself name its job.
    """
    if message.get("id", job_id) != job_id:
        raise InvalidEnvelope("written for a job with another id")


def exception_form(error: BaseException) -> dict[str, str]:
    """Return an exception as its type, the start of its message and the end of its traceback."""
    if isinstance(error, RemoteError):
        return {
            "type": error.kind,
            "message": error.message,
            "traceback": error.traceback,
        }
    try:
        if not _is_small(error):
            raise RecursionError
        captured = _capture(error)
        message, lines = str(captured), "".join(_lines(captured))
    except RecursionError:
        # Groups nested thousands deep. The place where the outermost was raised can be described.
        message, lines = "nested too deeply to be described", "".join(traceback.format_tb(error.__traceback__))
    return {
        "type": class_name(error),
        "message": _without_surrogates(message)[:_MAX_MESSAGE],
        "traceback": _without_surrogates(lines)[-_MAX_TRACEBACK:],
    }


def can_be_described(error: BaseException) -> bool:
    """Whether the standard library can format an error, in little time."""
    try:
        return _is_small(error) and bool("".join(traceback.format_exception(error)))
    except BaseException:  # noqa: BLE001 (an error's own attributes may raise anything)
        return False


def _is_small(error: BaseException) -> bool:
    """Whether an error and the groups in it have few enough parts to be described one by one.

    A part counts once for each way that leads to it, because `TracebackException` describes it as often: thirty
    groups that each hold the one before twice would take it hours.
    """
    pending, followed, count = [error], {id(error)}, 0
    while pending:
        part = pending.pop()
        count += 1
        if count > _MAX_PARTS:
            return False
        if isinstance(part, BaseExceptionGroup):
            pending.extend(part.exceptions)
        for earlier in (part.__cause__, part.__context__):
            if earlier is not None and id(earlier) not in followed:
                followed.add(id(earlier))
                pending.append(earlier)
    return True


def _capture(error: BaseException) -> traceback.TracebackException:
    # `TracebackException` describes an exception even if its own `__str__` fails. The stack is built here because
    # the class itself would check each file of the traceback on disk and parse each line, to underline a part of
    # it: two thirds of the time that this takes.
    captured = traceback.TracebackException(type(error), error, None, compact=True)
    captured.stack = traceback.StackSummary.from_list(
        [
            traceback.FrameSummary(frame.f_code.co_filename, line, frame.f_code.co_name, lookup_line=False)
            for frame, line in traceback.walk_tb(error.__traceback__)
        ]
    )
    return captured


def _lines(captured: traceback.TracebackException) -> Iterator[str]:
    if captured.__cause__ is not None or captured.__context__ is not None or captured.exceptions is not None:
        yield from captured.format()
        return
    # The same text in half the time. It matters most for a queue full of garbage, where every job raises.
    if captured.stack:
        yield "Traceback (most recent call last):\n"
    for frame in captured.stack:
        yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}\n'
        if frame.line:
            yield f"    {frame.line}\n"
    yield from captured.format_exception_only()


def _without_surrogates(text: str) -> str:
    # File names and driver errors can contain lone surrogates; JSON in UTF-8 cannot.
    return text.encode("utf-8", "backslashreplace").decode()


def _digest(secret: bytes, body: bytes) -> bytes:
    return hmac.digest(secret, body, "sha256").hex().encode()


def json_form(value: object) -> object:
    """Return what stands for a value in JSON that JSON has no form for. Raises `TypeError` if nothing does."""
    if isinstance(value, BaseModel):
        # Unset fields are left out: readers of outcomes and payloads fill in the defaults.
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, BaseException):
        # The dead letter of the job has the traceback; a second copy would stay in Redis beside it.
        return {_EXCEPTION: exception_form(value) | {"traceback": ""}}
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _restored(result: object) -> object:
    if isinstance(result, dict) and set(result) == {_EXCEPTION} and isinstance(result[_EXCEPTION], dict):
        error = result[_EXCEPTION]
        if error.get("type") == "CancelledError":
            # arq's `Job.abort` recognises an aborted job by this class.
            return asyncio.CancelledError(str(error.get("message")))
        return RemoteError(str(error.get("type")), str(error.get("message")), str(error.get("traceback")))
    return result


def _check_fields(message: Mapping[str, Any], fields: Mapping[str, tuple[type, ...]]) -> None:
    for name, types in fields.items():
        value = message.get(name)
        # Not `isinstance`, because a bool is an instance of int.
        if type(value) not in types:
            expected = " or ".join(kind.__name__ for kind in types)
            raise InvalidEnvelope(f"field {name!r}: expected {expected}, got {type(value).__name__}")


def _check_ranges(message: Mapping[str, Any]) -> None:
    for name in ("et", "st", "ft") if "s" in message else ("et",):
        if not 0 <= message[name] <= _MAX_INSTANT_MS:
            raise InvalidEnvelope(f"field {name!r}: not a time in milliseconds")
    if message["t"] is not None and not 0 <= message["t"] <= _MAX_TRY:
        raise InvalidEnvelope("field 't': not a try number")


def _check_depth(data: bytes, message: Mapping[str, Any]) -> None:
    # orjson reads 1,024 levels but writes 254, and a job that is read here is written again with its result.
    # Counting brackets is cheap and accepts nearly every message.
    if data.count(b"[") + data.count(b"{") <= _SAFE_BRACKETS:
        return
    try:
        orjson.dumps(message)
    except orjson.JSONEncodeError:
        raise InvalidEnvelope("nested too deeply") from None
