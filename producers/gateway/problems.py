"""What is answered instead of a result: problems as JSON (RFC 9457), which name the field and what to do."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException

from worker.contract.validation import MAX_PROBLEMS, problems_of
from worker.errors import (
    InvalidEnvelope,
    InvalidPayload,
    JobNotFound,
    KeyUsedTwice,
    OutageError,
    PayloadProblem,
    PermanentError,
    QueueFull,
    RegistryError,
    class_name,
)

MEDIA_TYPE = "application/problem+json"
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
"""Headers that every answer has: none is to be kept by others, or taken for a page."""
_RETRY_OUTAGE_S = "5"
_RETRY_FULL_S = "1"
# The name of an argument of the client, and the header that it comes from here.
_FIELDS = {"idempotency_key": "Idempotency-Key"}


class Problem(HTTPException):
    """Ends a request with a problem.

    It is an `HTTPException` because FastAPI lets only those pass that are raised while it reads a body.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[PayloadProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.code = code
        self.errors = errors

    def content(self) -> dict[str, Any]:
        """Return the members of the problem."""
        errors = [{"field": _FIELDS.get(it.path, it.path), "reason": it.reason} for it in self.errors]
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status_code).phrase,
            "status": self.status_code,
            "code": self.code,
            "detail": self.detail,
            **({"errors": errors} if errors else {}),
        }

    def response(self) -> Response:
        """Return the problem as an answer."""
        headers = {**HEADERS, **(self.headers or {})}
        return Response(orjson.dumps(self.content()), self.status_code, headers, MEDIA_TYPE)


def unavailable(detail: str) -> Problem:
    """Return the problem of a server that is unavailable for now."""
    return Problem(503, "unavailable", detail, headers={"Retry-After": _RETRY_OUTAGE_S})


def not_whole() -> Problem:
    """Return the problem of a body that ends too early, because its client has left."""
    return Problem(400, "not-whole", "The body ended before its end.")


def invalid_field(field: str, reason: str) -> Problem:
    """Return the problem of one invalid field."""
    return _invalid([PayloadProblem(field, reason)])


def invalid_names(reasons: Mapping[str, str]) -> Problem:
    """Return the problem of names that a client has chosen, and why each is refused; they are escaped."""
    errors = [ErrorDetails(type="name", loc=(name,), msg=why, input=None) for name, why in reasons.items()]
    return _invalid(problems_of(errors, ""))


def as_problem(error: Exception) -> Problem:
    """Return the problem of an error; of one that nobody foresaw, only its class is shown."""
    if isinstance(error, Problem):
        return error
    return next(make(error) for kind, make in _PROBLEMS if isinstance(error, kind))


def _invalid(problems: Sequence[PayloadProblem]) -> Problem:
    return Problem(422, "invalid-request", "; ".join(map(str, problems)), problems)


def _of_request(error: RequestValidationError) -> Problem:
    errors = list(error.errors())
    if [it["type"] for it in errors] == ["json_invalid"]:
        return Problem(400, "invalid-json", "The body is not valid JSON.")
    # The first part of a place says whether it is in the body, the query or a header.
    problems = [problem for it in errors for problem in problems_of([it | {"loc": it["loc"][1:]}], "")]
    return _invalid(problems[:MAX_PROBLEMS])


def _of_http(error: HTTPException) -> Problem:
    code = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "invalid-request")
    return Problem(error.status_code, code, str(error.detail), headers=error.headers)


def _of_outage(error: OutageError) -> Problem:
    return unavailable(f"{error.dependency} is unavailable. Repeat the request with the same Idempotency-Key.")


# The first class that an error is of, counts.
_PROBLEMS: tuple[tuple[type[Exception], Callable[[Any], Problem]], ...] = (
    (InvalidPayload, lambda error: _invalid(error.problems)),
    (RequestValidationError, _of_request),
    (KeyUsedTwice, lambda error: Problem(409, "key-used-twice", str(error))),
    (QueueFull, lambda error: Problem(429, "queue-full", str(error), headers={"Retry-After": _RETRY_FULL_S})),
    (JobNotFound, lambda error: Problem(404, "not-found", str(error))),
    (InvalidEnvelope, lambda error: Problem(502, "unreadable-result", str(error))),
    (PermanentError, lambda error: Problem(422, "refused", str(error))),
    (OutageError, _of_outage),
    # A login or a right that is missing is one of this gateway's, not of its client.
    (RegistryError, lambda _: unavailable("The gateway cannot do this for now: see its log.")),
    (HTTPException, _of_http),
    (Exception, lambda error: Problem(500, "internal-error", f"{class_name(error)}: see the log of the gateway")),
)
