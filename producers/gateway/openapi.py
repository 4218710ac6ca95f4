"""What the OpenAPI document says besides the routes: an introduction, the problems of all of them, and examples."""

from typing import Any

from fastapi.openapi.models import Example

from producers.gateway.problems import MEDIA_TYPE

ABOUT = """Enqueue jobs of the hospital registry, upload lists, and read outcomes, hospitals and imports.

A job runs after it was accepted (202): ask its outcome, with `wait`, or follow its events. Give each operation a
key of its own in `Idempotency-Key`, and repeat a request whose answer did not arrive: it makes one job. In a path,
an id is percent-encoded."""

_REASONS = {
    400: "not valid JSON, or not whole",
    401: "no valid key",
    403: "the key has not the scope",
    404: "unknown",
    405: "not a method of this path",
    408: "nothing of the body arrived for too long",
    409: "the Idempotency-Key was used for another operation, or there is nothing left to change",
    413: "too large",
    415: "a body that is not said to be JSON",
    422: "invalid fields, each named",
    429: "too many requests of this key, or a queue that is full",
    500: "an error of the gateway",
    502: "a stored result cannot be read",
    503: "Redis or MongoDB is unavailable",
    504: "too slow",
}
_PROBLEM = {
    "type": "object",
    "description": "A problem (RFC 9457). A program decides by `code`; `errors` names each invalid field.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        **{name: {"type": "string"} for name in ("type", "title", "code", "detail")},
        "status": {"type": "integer"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": reason, "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}
    for status, reason in _REASONS.items()
}

_RECORD = {"hospital_name": "Sunrise Clinic", "source": "hr", "external_id": "42", "city": "Split", "beds": 120}
_REASON = "licence 4711 seen"


def _example(summary: str, value: Any) -> dict[str, Example]:
    return {"example": Example(summary=summary, value=value)}


INGEST = _example("one record of a feed", {"record": _RECORD, "on_existing": "merge"})
INGEST_MANY = _example("two records", {"records": [_RECORD, {"hospital_name": "Angel Hospital", "country": "NZ"}]})
CORRECT = _example("a corrected number of beds", {"hospital_id": "hr:42", "changes": {"beds": 64}, "revision": 1})
DISCARD = _example("a hospital that does not exist", {"hospital_id": "hr:42", "revision": 2})
REGISTER = _example("a new hospital", {"record": _RECORD, "reason": _REASON})
AMEND = _example(
    "a ward was closed", {"hospital_id": "hr:42", "changes": {"beds": 64}, "reason": "ward closed", "revision": 1}
)
WITHDRAW = _example("a hospital was closed", {"hospital_id": "hr:42", "reason": "closed for good"})
