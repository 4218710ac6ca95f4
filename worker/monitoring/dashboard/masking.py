"""Payloads as they are shown: masked, or whole for those who may see them."""

import json
import re
from typing import Any

from worker.codec import Codec
from worker.contract import JOBS
from worker.errors import InvalidEnvelope

LARGEST_SHOWN = 262_144
"""Bytes of an envelope that is shown; a larger one is for `hospital-worker dead export`."""
_MASK = "•••"
# What says what the record is, and nothing of a person.
_SHOWN = frozenset({"source", "external_id", "hospital_type", "status", "country", "on_existing", "observed_at"})
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_LONGEST_SHOWN = 100


def payload_text(codec: Codec, envelope: bytes, *, whole: bool) -> str:
    """Return the arguments of a job as JSON with line breaks; unless `whole`, with every personal value masked.

    If they cannot be shown, the text says why, and is none of the payload.
    """
    if len(envelope) > LARGEST_SHOWN:
        return f"{len(envelope):,} bytes: too large for the page; use hospital-worker dead export"
    try:
        message = codec.decode(envelope)
    except InvalidEnvelope as error:
        return f"not readable: {error}"
    call = {"args": message["a"], "kwargs": message["k"]}
    return json.dumps(call if whole else masked(call, message["f"]), indent=2, ensure_ascii=False)


def masked(value: Any, function: str) -> Any:
    """Return decoded JSON with the same structure, in which only fields that are known to be harmless are kept.

    Of a function that is not one of this service's, no value is.
    """
    return _masked(value, shown=_SHOWN if function in JOBS else frozenset())


def _masked(value: Any, *, shown: frozenset[str]) -> Any:
    match value:
        case dict():
            return {
                _field(name, position): _of_field(name, inner, shown)
                for position, (name, inner) in enumerate(value.items(), 1)
            }
        case list():
            return [_masked(inner, shown=shown) for inner in value]
        case None | bool():
            return value
        case str():
            return f"{_MASK} ({len(value):,} characters)"
    return _MASK


def _field(name: str, position: int) -> str:
    return name if _FIELD.fullmatch(name) else f"{_MASK} {position}"


def _of_field(name: str, value: Any, shown: frozenset[str]) -> Any:
    if name in shown and isinstance(value, str) and len(value) <= _LONGEST_SHOWN:
        return value
    return _masked(value, shown=shown)
