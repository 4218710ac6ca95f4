"""The body of a request as JSON, without what programs read in different ways."""

import json
from email.message import Message
from typing import Any, NoReturn

from fastapi import Request
from starlette.requests import ClientDisconnect

from producers.gateway.problems import Problem, invalid_names, not_whole


async def read_json(request: Request) -> Any:
    """Return the decoded body of a request.

    Raises `Problem` if it is not said to be JSON, is not whole, is not JSON in UTF-8, or names a field twice.
    """
    given = request.headers.get("Content-Type", "")
    if given != "application/json" and not _is_json(given):
        raise Problem(415, "unsupported-media-type", "Send JSON, with the header Content-Type: application/json")
    try:
        body = await request.body()
    except ClientDisconnect:
        raise not_whole() from None
    return decoded(body)


def decoded(body: bytes) -> Any:
    """Return what a body says, as `read_json` does."""
    try:
        # Some programs put a byte order mark before it.
        return _DECODER.decode(body.decode("utf-8-sig"))
    except RecursionError:
        raise Problem(400, "invalid-json", "The body is nested too deeply.") from None
    except ValueError:
        # Its message may repeat a part of the body.
        raise Problem(400, "invalid-json", "The body is not valid JSON in UTF-8.") from None


def _is_json(content_type: str) -> bool:
    message = Message()
    message["Content-Type"] = content_type
    kind = message.get_content_type()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object. Raises `Problem` if it has a name twice: nobody knows which value is meant."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise invalid_names({name: "given twice"})
        found[name] = value
    return found


def _refuse(constant: str) -> NoReturn:
    """Refuse the numbers that Python reads and JSON does not have."""
    raise ValueError(constant)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)
