"""An inline job that fails waits, or becomes a dead letter, as a worker's retry policy decides."""

import asyncio

import pytest
from arq.worker import Retry, RetryJob
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from producers.testing.inline import RETRIED
from worker.engine.retry_policy import DeadLetterIt, retry_decision
from worker.errors import (
    ConfigurationError,
    ConflictError,
    InvalidEnvelope,
    InvalidPayload,
    KeyUsedTwice,
    OperationRefused,
    OutageError,
    PermanentError,
    RemoteError,
    TransientError,
    WritesRefused,
)

ERRORS: list[BaseException] = [
    ConfigurationError(),
    ConflictError(),
    InvalidEnvelope(),
    InvalidPayload("subject", []),
    KeyUsedTwice("key"),
    OperationRefused(),
    OutageError(),
    PermanentError(),
    RemoteError("kind", "message"),
    TransientError(),
    WritesRefused(),
    ConnectionResetError(),
    TimeoutError(),
    RedisConnectionError(),
    RedisTimeoutError(),
    Retry(defer=1),
    RetryJob(),
    ValueError(),
    asyncio.QueueEmpty(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_the_same_errors_are_retried(error: BaseException) -> None:
    decision = retry_decision(error, tries=1, max_tries=5, jitter=0.5)
    assert isinstance(error, RETRIED) is not isinstance(decision, DeadLetterIt)
