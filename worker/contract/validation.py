"""`parse`: validates decoded JSON against a model and reports every problem by path, without the value."""

import re
from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from worker.errors import InvalidPayload, PayloadProblem

# More than a valid payload has fields. It keeps the message small if a payload has 100,000 unknown fields.
MAX_PROBLEMS = 100

_PLAIN_NAME = re.compile(r"[$\w]+")
_Model = TypeVar("_Model", bound=BaseModel)


def parse(model: type[_Model], raw: object, *, within: str = "") -> _Model:
    """Validate `raw` (decoded JSON) against `model`.

    `within`, such as `records[17]`, is prefixed to the path of each problem. Raises `InvalidPayload` with the path
    and reason of every invalid field (the first 100 of them), and no values.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise invalid(model.__name__, error, within) from None


def invalid(model: str, error: ValidationError, within: str) -> InvalidPayload:
    """Return the error of a payload that is not valid for the model of this name."""
    errors = error.errors(include_input=False, include_url=False, include_context=False)
    return InvalidPayload(model, problems_of(errors, within))


def problems_of(errors: Sequence[ErrorDetails], within: str) -> list[PayloadProblem]:
    """Return the path and the reason of each of pydantic's errors, of the first 100 of them; no values."""
    problems = [PayloadProblem(_path(within, details), _reason(details)) for details in errors]
    unlisted = len(problems) - MAX_PROBLEMS
    if unlisted > 0:
        problems[MAX_PROBLEMS:] = [PayloadProblem(within or "payload", f"{unlisted} more problems")]
    return problems


def _path(within: str, details: ErrorDetails) -> str:
    location = details["loc"]
    # If a dictionary's key is invalid, rather than its value, pydantic adds one more part to the location.
    if location[-1:] == ("[key]",) and details["type"] != "extra_forbidden":
        location = location[:-1]
    path = within
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
            continue
        # Names of unknown fields are untrusted: escaped and truncated, so that the message stays one short line.
        name = part.encode("unicode_escape").decode()[:64]
        if not _PLAIN_NAME.fullmatch(name):
            name = f'"{name}"'
        path += f".{name}" if path else name
    return path or "payload"


def _reason(details: ErrorDetails) -> str:
    if details["type"] == "extra_forbidden":
        return "unknown field"
    return details["msg"].removeprefix("Value error, ").rstrip(".")
