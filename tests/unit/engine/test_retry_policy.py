import asyncio
import math
from concurrent.futures.process import BrokenProcessPool
from typing import Any, cast

import pytest
from arq.worker import Retry, RetryJob
from hypothesis import given
from hypothesis import strategies as st

from worker.engine.retry_policy import DeadLetterIt, RetryLater, Trouble, retry_decision, trouble_of
from worker.errors import (
    ConfigurationError,
    ConflictError,
    InvalidEnvelope,
    InvalidPayload,
    OperationRefused,
    OutageError,
    PermanentError,
    RemoteError,
    TransientError,
)

PERMANENT = [PermanentError("x"), InvalidEnvelope("x"), InvalidPayload("x", [])]
UNEXPECTED: list[BaseException] = [
    ValueError("x"),
    KeyError("x"),
    AssertionError(),
    RemoteError("x", "y"),
    ConfigurationError("x"),
    RuntimeError("x"),
    SystemExit(1),
    KeyboardInterrupt(),
    asyncio.CancelledError(),
]
EXHAUSTED: list[Exception] = [MemoryError(), RuntimeError("can't start new thread"), BrokenProcessPool("x")]
RETRIED: list[Any] = [
    ConflictError("x"),
    TransientError("x"),
    TimeoutError("x"),
    ConnectionResetError(),
    OSError(),
    *EXHAUSTED,
]
ARQ: list[Any] = [Retry(defer=3), Retry(), RetryJob("x")]

tries = st.integers(1, 10**6)
jitters = st.floats(0, 1)


@pytest.mark.parametrize(
    ("error", "number", "delay_s"),
    [
        (ConflictError("x"), 1, 0.05),
        (ConflictError("x"), 2, 0.1),
        (ConflictError("x"), 4, 0.4),
        (ConflictError("x"), 7, 2.0),
        (TransientError("x"), 1, 0.5),
        (TransientError("x"), 3, 2.0),
        (TransientError("x"), 8, 60.0),
        (TimeoutError("x"), 2, 1.0),
        (ConnectionResetError("x"), 1, 0.5),
        *[(error, 2, 1.0) for error in EXHAUSTED],
        (OperationRefused("x"), 1, 5.0),
        (OperationRefused("x"), 7, 300.0),
        (OperationRefused("x"), 20, 300.0),
    ],
)
def test_delays_double_up_to_their_cap(error: Exception, number: int, delay_s: float) -> None:
    assert retry_decision(error, tries=number, max_tries=99, jitter=1) == RetryLater(delay_s)
    assert retry_decision(error, tries=number, max_tries=99, jitter=0) == RetryLater(delay_s / 2)


@pytest.mark.parametrize("error", PERMANENT, ids=type)
def test_a_permanent_error_is_dead_lettered_immediately(error: Exception) -> None:
    assert retry_decision(error, tries=1, max_tries=99, jitter=0.5) == DeadLetterIt("permanent error")


@pytest.mark.parametrize("error", UNEXPECTED, ids=type)
def test_an_unexpected_error_is_dead_lettered_immediately(error: BaseException) -> None:
    assert retry_decision(error, tries=1, max_tries=99, jitter=0.5) == DeadLetterIt("unexpected error")


@pytest.mark.parametrize(("error", "delay_s"), [(ARQ[0], 3.0), (ARQ[1], 0.0), (ARQ[2], 0.0)])
def test_arqs_own_retry_sets_the_delay(error: Exception, delay_s: float) -> None:
    assert retry_decision(error, tries=1, max_tries=2, jitter=0.3) == RetryLater(delay_s)


@given(number=tries, max_tries=tries, jitter=jitters)
def test_an_outage_never_dead_letters_a_job_and_spends_no_try(number: int, max_tries: int, jitter: float) -> None:
    decision = retry_decision(OutageError("x"), tries=number, max_tries=max_tries, jitter=jitter)

    assert isinstance(decision, RetryLater)
    assert not decision.spends_try
    assert 0.5 <= decision.delay_s <= 1


@given(error=st.sampled_from(RETRIED + ARQ), number=tries, max_tries=tries, jitter=jitters)
def test_tries_are_spent_up_to_the_limit_and_not_beyond(
    error: Exception, number: int, max_tries: int, jitter: float
) -> None:
    decision = retry_decision(error, tries=number, max_tries=max_tries, jitter=jitter)

    if number < max_tries:
        assert isinstance(decision, RetryLater)
        assert decision.spends_try
        assert 0 <= decision.delay_s <= 60
    else:
        assert decision == DeadLetterIt(f"{number} of {max_tries} tries ended with {type(error).__name__}")


@given(error=st.sampled_from(RETRIED), number=st.integers(1, 60), jitter=jitters)
def test_delays_never_shrink_and_are_never_zero(error: Exception, number: int, jitter: float) -> None:
    first = retry_decision(error, tries=number, max_tries=1_000, jitter=jitter)
    second = retry_decision(error, tries=number + 1, max_tries=1_000, jitter=jitter)

    assert isinstance(first, RetryLater)
    assert isinstance(second, RetryLater)
    assert 0.025 <= first.delay_s <= second.delay_s


@pytest.mark.parametrize(("jitter", "minutes"), [(0, 5), (1, 10)])
def test_the_default_tries_of_a_refused_operation_last_five_to_ten_minutes(jitter: float, minutes: int) -> None:
    decisions = [
        retry_decision(OperationRefused("ask the operator"), tries=number, max_tries=8, jitter=jitter)
        for number in range(1, 9)
    ]

    waits = [decision.delay_s for decision in decisions if isinstance(decision, RetryLater)]
    assert len(waits) == 7
    assert minutes * 60 < sum(waits) < minutes * 60 + 30
    reason = "8 of 8 tries ended with OperationRefused: ask the operator"
    assert decisions[-1] == DeadLetterIt(reason)


class Unlabelled(OutageError):
    """A user's error whose constructor does not call the one it overrides."""

    def __init__(self) -> None:
        pass


SHARED = Trouble("MongoDB is unavailable", is_shared=True)


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (OutageError("x"), SHARED),
        (Unlabelled(), SHARED),
        (OutageError("x", dependency="geocoder"), Trouble("geocoder is unavailable", is_shared=False)),
        (OperationRefused("x"), Trouble("MongoDB refuses an operation", is_shared=False)),
        (ExceptionGroup("x", [ConflictError("x"), ExceptionGroup("y", [OutageError("x")])]), SHARED),
        (TransientError("x"), None),
        (TimeoutError(), None),
        (ValueError("x"), None),
        (ExceptionGroup("x", [ValueError("x")]), None),
    ],
    ids=repr,
)
def test_an_error_says_which_dependency_was_in_trouble(error: Exception, trouble: Trouble | None) -> None:
    assert trouble_of(error) == trouble


def test_the_worst_error_of_a_group_decides() -> None:
    outage, transient, unexpected = OutageError("x"), TransientError("x"), ValueError("x")

    def decide(*errors: Exception) -> RetryLater | DeadLetterIt:
        return retry_decision(ExceptionGroup("x", errors), tries=1, max_tries=3, jitter=1)

    assert decide(outage, outage) == RetryLater(1.0, spends_try=False)
    assert decide(outage, transient) == RetryLater(0.5, spends_try=True)
    assert isinstance(decide(outage, ExceptionGroup("y", [transient, unexpected])), DeadLetterIt)


def test_an_error_that_a_group_holds_many_times_counts_once() -> None:
    error: Exception = OutageError("x")
    for _ in range(40):
        error = ExceptionGroup("pair", [error, error])

    assert retry_decision(error, tries=1, max_tries=3, jitter=1) == RetryLater(1.0, spends_try=False)
    assert trouble_of(error) == SHARED


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_retry_at_no_time_is_a_dead_letter(score: float) -> None:
    error = Retry()
    error.defer_score = cast(Any, score)

    assert isinstance(retry_decision(error, tries=1, max_tries=5, jitter=0.5), DeadLetterIt)
