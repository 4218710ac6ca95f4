import json
from http import HTTPStatus

import pytest
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from producers.gateway.problems import HEADERS, Problem, as_problem
from worker.errors import (
    ConfigurationError,
    InvalidEnvelope,
    InvalidPayload,
    JobNotFound,
    KeyUsedTwice,
    OutageError,
    PayloadProblem,
    PermanentError,
    WritesRefused,
)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidPayload("X", [PayloadProblem("record.beds", "too few")]), 422, "invalid-request"),
        (KeyUsedTwice("ingest_hospital:1"), 409, "key-used-twice"),
        (JobNotFound("x"), 404, "not-found"),
        (InvalidEnvelope("x"), 502, "unreadable-result"),
        (PermanentError("x"), 422, "refused"),
        (OutageError("x", dependency="Redis"), 503, "unavailable"),
        (WritesRefused("x", dependency="Redis"), 503, "unavailable"),
        (ConfigurationError("x"), 503, "unavailable"),
        (HTTPException(404), 404, "not-found"),
        (HTTPException(405, headers={"Allow": "GET"}), 405, "method-not-allowed"),
        (ZeroDivisionError("a patient"), 500, "internal-error"),
    ],
)
def test_every_error_has_a_status_and_a_code(error: Exception, status: int, code: str) -> None:
    problem = as_problem(error)
    assert (problem.status_code, problem.code) == (status, code)
    assert ("Retry-After" in (problem.headers or {})) == (status == 503)


def test_an_unforeseen_error_and_an_outage_show_nothing_of_their_messages() -> None:
    for error in (ZeroDivisionError("10.0.0.7"), OutageError("at 10.0.0.7"), ConfigurationError("at 10.0.0.7")):
        assert "10.0.0.7" not in json.dumps(as_problem(error).content())


def test_a_problem_names_each_field_and_has_the_members_of_the_standard() -> None:
    problems = [PayloadProblem("record.beds", "too few"), PayloadProblem("idempotency_key", "too long")]
    answer = as_problem(InvalidPayload("X", problems)).response()

    assert answer.headers["content-type"] == "application/problem+json"
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert json.loads(bytes(answer.body)) == {
        "type": "about:blank",
        "title": HTTPStatus(422).phrase,
        "status": 422,
        "code": "invalid-request",
        "detail": "record.beds: too few; idempotency_key: too long",
        "errors": [
            {"field": "record.beds", "reason": "too few"},
            {"field": "Idempotency-Key", "reason": "too long"},
        ],
    }


def test_an_invalid_request_is_named_by_its_place_in_the_body_or_the_query_and_not_by_its_value() -> None:
    errors = [
        {"type": "missing", "loc": ("body", "record"), "msg": "Field required", "input": "Zebra"},
        {"type": "extra_forbidden", "loc": ("query", "x\ny"), "msg": "no", "input": "Zebra"},
        {"type": "value_error", "loc": ("body", "records", 3), "msg": "Value error, is odd", "input": "Zebra"},
    ]
    content = as_problem(RequestValidationError(errors)).content()

    assert content["errors"] == [
        {"field": "record", "reason": "Field required"},
        {"field": '"x\\ny"', "reason": "unknown field"},
        {"field": "records[3]", "reason": "is odd"},
    ]
    assert "Zebra" not in json.dumps(content)


def test_what_is_not_json_is_said_so() -> None:
    error = {"type": "json_invalid", "loc": ("body", 7), "msg": "JSON decode error", "input": {}}
    problem = as_problem(RequestValidationError([error]))
    assert (problem.status_code, problem.code) == (400, "invalid-json")


def test_a_problem_stays_as_it_is() -> None:
    problem = Problem(403, "missing-scope", "no")
    assert as_problem(problem) is problem
