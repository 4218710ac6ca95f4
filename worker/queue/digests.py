"""The digest of what a job asks for: a call that repeats an idempotency key must ask for the same.

It covers the function and its payload, because they decide what the job does. It does not cover when the call was
made or the job is due, the try, a trace or the signature, which differ between calls that ask for the same; nor the
batch, whose id is part of the job's id.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from pydantic import BaseModel

from worker.codec import json_form
from worker.contract import JOBS, HospitalChanges
from worker.contract.validation import parse
from worker.errors import InvalidPayload

# 96 bits, 16 characters: that two of 10^9 payloads share a digest has a chance of one in 10^11.
_BYTES = 12


def call_digest(function: str, payload: BaseModel) -> str:
    """Return the digest of a call: 16 letters, digits, `-` and `_`.

    In the payloads of `JOBS`, a field that is null or has its default counts as left out, except in changes, where
    null clears a field. Any other payload counts as it is sent.
    """
    fields = {name: getattr(payload, name) for name in payload.model_fields_set}
    if function not in JOBS:
        return _digest(function, fields, json_form)
    declared = type(payload).model_fields
    fields = {name: value for name, value in fields.items() if value != declared[name].default}
    if "records" in fields:
        fields["records"] = [_known(record) for record in fields["records"]]
    return _digest(function, fields, _form)


def stored_digest(message: Mapping[str, Any]) -> str | None:
    """Return the digest of the call that a stored envelope or result is of; `None` if it does not show the payload.

    `message` is decoded. It may have been written by a program that writes no digests.
    """
    function, args = message["f"], message["a"]
    if len(args) != 1 or message["k"]:
        # A result does not repeat large arguments; calls of other forms are arq's own.
        return None
    spec = JOBS.get(function)
    if spec is None:
        return _digest(function, args[0], json_form)
    try:
        return call_digest(function, parse(spec.payload, args[0]))
    except InvalidPayload:
        return None


def _digest(function: str, payload: object, form: Callable[[object], object]) -> str:
    text = orjson.dumps([function, payload], default=form, option=orjson.OPT_SORT_KEYS)
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()[:_BYTES]).decode()


def _known(record: Any) -> Any:
    # The same record is a model where it is enqueued, and a dictionary where it was stored.
    if isinstance(record, BaseModel):
        return record.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    if isinstance(record, dict) and None in record.values():
        return {name: value for name, value in record.items() if value is not None}
    return record


def _form(value: object) -> object:
    if isinstance(value, BaseModel) and not isinstance(value, HospitalChanges):
        return value.model_dump(mode="json", exclude_defaults=True)
    return json_form(value)
