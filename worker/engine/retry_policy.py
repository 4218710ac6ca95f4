"""Decides whether a failed job is retried: a pure function over the error classes of `worker.errors`."""

import math
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass

from arq.worker import Retry as ArqRetry
from arq.worker import RetryJob as ArqRetryJob
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from worker.backoff import Backoff
from worker.errors import (
    SHARED_DEPENDENCY,
    ConflictError,
    OperationRefused,
    OutageError,
    PermanentError,
    TransientError,
    class_name,
)

# A conflict is over within the time of a transaction, a transient error within that of a failover.
_CONFLICT = Backoff(first_s=0.05, longest_s=2)
_TRANSIENT = Backoff(first_s=0.5, longest_s=60)
# A change of roles or of a schema that is being rolled out takes minutes: eight tries last five to ten of them.
_REFUSED = Backoff(first_s=5, longest_s=300)
# An outage is waited out in short steps, so that work resumes within seconds of MongoDB's return.
_OUTAGE = Backoff(first_s=1, longest_s=1)


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Retry the job after `delay_s` seconds. An outage does not spend a try."""

    delay_s: float
    spends_try: bool = True


@dataclass(frozen=True, slots=True)
class Trouble:
    """What kept a dependency from doing its part for a job; `is_shared`: every job needs that part.

    A dependency that refuses one job's operation may accept those of others, and not all jobs use a dependency that
    a user's own function names.
    """

    reason: str
    is_shared: bool


@dataclass(frozen=True, slots=True)
class DeadLetterIt:
    """Dead-letter the job, for `reason`."""

    reason: str


def retry_decision(error: BaseException, *, tries: int, max_tries: int, jitter: float) -> RetryLater | DeadLetterIt:
    """Decide what becomes of a job whose try number `tries` ended with `error`.

    `jitter` is a random number from 0 to 1. An exception that is neither one of this service's nor the operating
    system's is a defect, and repeating a defect does not fix it: it is dead-lettered at once, as arq does. That the
    worker has no memory or thread left is no defect of the job.
    """
    # One error that rules out a retry rules it out for the group.
    decisions = (_decision(part, tries=tries, max_tries=max_tries, jitter=jitter) for part in _parts(error))
    return max(decisions, key=_gravity)


def trouble_of(error: BaseException) -> Trouble | None:
    """Return the trouble of a dependency that an error, or one within a group, reports; `None` if none does."""
    for part in _parts(error):
        match part:
            case OutageError():
                return Trouble(f"{part.dependency} is unavailable", part.dependency == SHARED_DEPENDENCY)
            case OperationRefused():
                return Trouble(f"{SHARED_DEPENDENCY} refuses an operation", is_shared=False)
    return None


def _parts(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors of a group and of the groups within it, each once.

    Not recursively: they may be nested at any depth. A group may hold another one twice, and so on within that:
    without `seen` thirty groups would have a billion parts.
    """
    pending, seen = [error], {id(error)}
    while pending:
        part = pending.pop()
        if isinstance(part, BaseExceptionGroup):
            fresh = [inner for inner in part.exceptions if id(inner) not in seen]
            seen.update(map(id, fresh))
            pending.extend(fresh)
        else:
            yield part


def _decision(error: BaseException, *, tries: int, max_tries: int, jitter: float) -> RetryLater | DeadLetterIt:
    advice = ""
    match error:
        case OutageError():
            return RetryLater(_OUTAGE.delay_s(1, jitter=jitter), spends_try=False)
        case ArqRetry() if not math.isfinite(error.defer_score or 0):
            # Redis refuses a time that is not a number, and a job that is due at infinity never runs.
            return DeadLetterIt("asked to run again at a time that never comes")
        case ArqRetry():
            delay_s = (error.defer_score or 0) / 1000
        case ArqRetryJob():
            delay_s = 0
        case OperationRefused():
            delay_s = _REFUSED.delay_s(tries, jitter=jitter)
            advice = f": {error}"
        case ConflictError():
            delay_s = _CONFLICT.delay_s(tries, jitter=jitter)
        # To redis-py a refused login is a lost connection; repeating it does not help.
        case AuthenticationError():
            return DeadLetterIt("unexpected error")
        case (
            TransientError()
            | OSError()
            | RedisConnectionError()
            | RedisTimeoutError()
            | MemoryError()
            | BrokenExecutor()
            | RuntimeError(args=("can't start new thread",))
        ):
            # OSError includes TimeoutError and the connection errors, but not those of redis-py: a job that uses
            # the worker's own Redis meets them when the event loop was blocked, or Redis was unavailable.
            # The last three: other jobs may have used up memory or threads, or killed a process of a shared pool.
            delay_s = _TRANSIENT.delay_s(tries, jitter=jitter)
        case _:
            return DeadLetterIt("permanent error" if isinstance(error, PermanentError) else "unexpected error")
    if tries >= max_tries:
        return DeadLetterIt(f"{tries} of {max_tries} tries ended with {class_name(error)}{advice}")
    return RetryLater(delay_s)


def _gravity(decision: RetryLater | DeadLetterIt) -> tuple[bool, bool, float]:
    if isinstance(decision, DeadLetterIt):
        return (True, True, 0)
    return (False, decision.spends_try, decision.delay_s)
