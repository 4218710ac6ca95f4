"""Runs transactions: retries the body after a transient error, and the commit after an unknown result.

The drivers' own `with_transaction` is not used: Motor's never retries a failed commit (its inner context manager
commits outside its retry loop), and neither driver's stops at the caller's deadline.

Every transaction uses read concern `snapshot` and write concern `majority`: with weaker ones MongoDB does not
guarantee a snapshot of durable data (Jepsen, MongoDB 4.2.6).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from pymongo import ReadPreference
from pymongo.errors import (
    ConnectionFailure,
    DuplicateKeyError,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from worker.backoff import Backoff
from worker.hidden_task import hidden
from worker.mongo.client import MongoHandle, Session, settled
from worker.mongo.errors import TRANSIENT_TRANSACTION, UNKNOWN_COMMIT, translated
from worker.mongo.tokens import CausalPoint, encode_token

_BACKOFF = Backoff(first_s=0.005, longest_s=0.5)
# The last try must finish before the deadline. After it the job is cancelled and the error is lost, so an outage,
# which costs no try, would count as a timeout of the job.
_SHARE_FOR_THE_LAST, _LONGEST_FOR_THE_LAST_S = 0.2, 2.0
# If a body loses the same race this often, the duplicate is a document that its own reads do not return.
_DUPLICATE_KEY_TRIES = 5
# Conflicts between running workers resolve faster than this. A longer conflict may come from a transaction that a
# dead worker left open, so the runner looks for one, at this interval.
_LONG_CONFLICT_S = 1.0
_WRITE_CONFLICT = 112

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Committed(Generic[T]):
    """The body's return value, and the causal token of the commit."""

    value: T
    token: str | None


class _Patience:
    """Exponential back-off with jitter. It reserves time for the last try before a deadline of the loop's clock."""

    def __init__(self, deadline: float) -> None:
        now = asyncio.get_running_loop().time()
        self._deadline = deadline - min((deadline - now) * _SHARE_FOR_THE_LAST, _LONGEST_FOR_THE_LAST_S)
        self._failures = 0
        self._tried_at = now + _LONG_CONFLICT_S

    def is_tried(self) -> bool:
        """Return whether the conflict has lasted longer than conflicts normally do; true at most once a second."""
        now = asyncio.get_running_loop().time()
        if now < self._tried_at:
            return False
        self._tried_at = now + _LONG_CONFLICT_S
        return True

    async def wait(self) -> bool:
        """Sleep before the next try and return true; return false at once if there is no time for another try."""
        delay_s = _BACKOFF.delay_s(self._failures + 1)
        if asyncio.get_running_loop().time() + delay_s >= self._deadline:
            return False
        self._failures += 1
        await asyncio.sleep(delay_s)
        return True


async def run_transaction(
    mongo: MongoHandle, body: Callable[[Session], Coroutine[Any, Any, T]], *, deadline: float
) -> Committed[T]:
    """Run `body` in a transaction and commit it, before `deadline` (on the loop's clock, in seconds).

    The body may run more than once, so it must do nothing but operations of this session, one at a time. If the
    caller is cancelled, running operations finish first (a driver's thread cannot be cancelled), and then the
    transaction is aborted; a running commit may have taken effect.

    Raises the errors of `worker.mongo.errors`. After an `OutageError` of the commit it is unknown whether the
    transaction took effect, so the caller must be able to find out when it is called again.
    """
    with translated():
        session = await settled(mongo.client.start_session(causal_consistency=True))
        try:
            value = await _run_until_committed(mongo, session, body, deadline)
            return Committed(value, _token(session))
        finally:
            await _drained(session.end_session())


async def _run_until_committed(
    mongo: MongoHandle, session: Session, body: Callable[[Session], Coroutine[Any, Any, T]], deadline: float
) -> T:
    patience = _Patience(deadline)
    duplicate_keys = 0
    while True:
        started = session.start_transaction(
            read_concern=ReadConcern("snapshot"),
            write_concern=WriteConcern(w="majority", j=True),
            read_preference=ReadPreference.PRIMARY,
        )
        await settled(cast(Awaitable[None] | None, started))
        try:
            value = await _drained(body(session))
            await _commit(session, deadline)
            return value
        except BaseException as error:
            if session.in_transaction:
                await _drained(session.abort_transaction())
            if not isinstance(error, PyMongoError):
                raise
            if isinstance(error, DuplicateKeyError):
                # Another transaction inserted it after this snapshot was taken; the next snapshot shows it.
                duplicate_keys += 1
                again = duplicate_keys < _DUPLICATE_KEY_TRIES
            else:
                again = error.has_error_label(TRANSIENT_TRANSACTION) and not _has_waited(error)
            if getattr(error, "code", None) == _WRITE_CONFLICT and patience.is_tried():
                await mongo.stale_transactions.abort()
            if not again or not await patience.wait():
                raise


async def _commit(session: Session, deadline: float) -> None:
    patience = _Patience(deadline)
    while True:
        try:
            return await _drained(session.commit_transaction())
        except PyMongoError as error:
            if not _is_unknown(error) or _has_waited(error) or not await patience.wait():
                raise


def _has_waited(error: PyMongoError) -> bool:
    # The driver has already waited for a server or a connection, for as long as waiting is allowed in an outage.
    # Retried until the deadline, as the error's label suggests, the outage would count as a timeout of the job.
    return isinstance(error, ServerSelectionTimeoutError | WaitQueueTimeoutError)


def _is_unknown(error: PyMongoError) -> bool:
    # Retrying a commit is always safe: it takes effect once. A write concern that failed for another reason than a
    # timeout comes without the label, although the commit was applied.
    return error.has_error_label(UNKNOWN_COMMIT) or isinstance(error, WriteConcernError | ConnectionFailure)


async def _drained(operation: Awaitable[T]) -> T:
    """Return the operation's result. If this task is cancelled, let the operation finish, then raise."""
    task = hidden(asyncio.ensure_future(operation))
    cancelled: asyncio.CancelledError | None = None
    try:
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            # Retrieved, or asyncio would report it as never retrieved; the cancellation takes precedence.
            task.exception()
            raise cancelled
        return task.result()
    finally:
        # An error's traceback references this frame. If the frame referenced the error as well, this cycle would
        # keep the error, and all objects of the body, in memory until the garbage collector runs.
        del operation, task, cancelled


def _token(session: Session) -> str | None:
    operation_time, cluster_time = session.operation_time, session.cluster_time
    if operation_time is None or cluster_time is None:
        return None
    return encode_token(CausalPoint(operation_time, dict(cluster_time)))
