from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from fastapi import Request

from producers.gateway.job_options import When, read_key, read_when
from producers.gateway.problems import Problem, as_problem
from worker.errors import InvalidPayload

NOON = datetime(2025, 6, 30, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", NOON.timestamp)


def request(query: str = "", *keys: str) -> Request:
    headers = [(b"idempotency-key", key.encode()) for key in keys]
    return Request({"type": "http", "query_string": query.encode(), "headers": headers})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", When()),
        ("delay=90", When(delay=90)),
        ("delay=0.5", When(delay=0.5)),
        ("run_at=2025-06-30T13:00:00Z", When(run_at=NOON + timedelta(hours=1))),
        ("run_at=2025-06-30T13:00:00%2B02:00", When(run_at=NOON - timedelta(hours=1))),
        ("run_at=0001-01-01T00:00:00%2B14:00", When(run_at=datetime.fromisoformat("0001-01-01T00:00:00+14:00"))),
        ("run_at=2026-07-01T11:59:59Z", When(run_at=NOON + timedelta(days=366, seconds=-1))),
    ],
)
def test_a_request_says_when_its_job_runs(query: str, expected: When) -> None:
    assert read_when(request(query)) == expected


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("delay=-1", "delay"),
        ("delay=soon", "delay"),
        ("delay=", "delay"),
        ("delay=nan", "delay"),
        ("delay=inf", "delay"),
        (f"delay={366 * 86_400 + 1}", "delay"),
        ("delay=1e300", "delay"),
        ("delay=1&delay=2", "delay"),
        ("run_at=2025-06-30T13:00:00", "run_at"),
        # A plus that is not encoded is a space.
        ("run_at=2025-06-30T13:00:00+02:00", "run_at"),
        ("run_at=tomorrow", "run_at"),
        ("run_at=2026-07-01T12:00:01Z", "run_at"),
        ("run_at=9999-12-31T23:59:59-14:00", "run_at"),
        ("dealy=60", "dealy"),
        (urlencode({"a\r\nb": 1}), '"a\\r\\nb"'),
    ],
)
def test_what_is_invalid_is_named(query: str, field: str) -> None:
    with pytest.raises((InvalidPayload, Problem)) as refused:
        read_when(request(query))

    problem = as_problem(refused.value)
    assert (problem.status_code, [it.path for it in problem.errors]) == (422, [field])


def test_the_producer_gets_what_was_given_and_nothing_else() -> None:
    assert When().options(None) == {"idempotency_key": None, "run_at": None}
    assert When(delay=0).options("k") == {"idempotency_key": "k", "run_at": None, "delay": 0}
    assert When(run_at=NOON).options("k") == {"idempotency_key": "k", "run_at": NOON}


def test_a_request_has_one_idempotency_key_or_none() -> None:
    assert read_key(request()) is None
    assert read_key(request("", "feed-1")) == "feed-1"
    with pytest.raises(Problem) as refused:
        read_key(request("", "feed-1", "feed-2"))
    assert refused.value.errors[0].path == "Idempotency-Key"
