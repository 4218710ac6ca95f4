"""Runs transactions: the body again on a transient error, the commit again on an unknown result.

The drivers' own `with_transaction` is not used: Motor's never repeats a failed commit (its inner context manager
commits outside its retry loop) and neither of them ends at a deadline of the caller's.

Read concern `snapshot` and write concern `majority` hold for every transaction: with less, MongoDB promises no
snapshot of what is durable (Jepsen, MongoDB 4.2.6).
"""

import asyncio
import random
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

from worker.mongo.client import Client, MongoHandle, Session, settled
from worker.mongo.errors import TRANSIENT_TRANSACTION, UNKNOWN_COMMIT, translated
from worker.mongo.stale_transactions import abort_stale_transactions
from worker.mongo.tokens import CausalPoint, encode_token

_FIRST_DELAY = 0.005
_LONGEST_DELAY = 0.5
# The last try must be answered before the deadline: past it nobody hears what the error was, and an outage that
# costs no try would pass for a job that takes too long.
_SHARE_FOR_THE_LAST, _LONGEST_FOR_THE_LAST_S = 0.2, 2.0
# A body that loses the same race so often meets a document that its own reads do not show.
_DUPLICATE_KEY_TRIES = 5
# Conflicts among the living clear sooner; who meets them for longer looks, this often, for one left by the dead.
_LONG_CONFLICT_S = 1.0
_WRITE_CONFLICT = 112

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Committed(Generic[T]):
    """What the body returned, and the causal token of the commit."""

    value: T
    token: str | None


class _Patience:
    """Jittered exponential back-off that leaves the last try time until a deadline of the loop's clock."""

    def __init__(self, deadline: float) -> None:
        now = asyncio.get_running_loop().time()
        self._deadline = deadline - min((deadline - now) * _SHARE_FOR_THE_LAST, _LONGEST_FOR_THE_LAST_S)
        self._bound = _FIRST_DELAY
        self._tried_at = now + _LONG_CONFLICT_S

    def is_tried(self) -> bool:
        """Tell, once a second, that it has lasted for longer than conflicts do."""
        now = asyncio.get_running_loop().time()
        if now < self._tried_at:
            return False
        self._tried_at = now + _LONG_CONFLICT_S
        return True

    async def wait(self) -> bool:
        """Sleep before the next try; return whether there is time for one."""
        delay = self._bound * random.uniform(0.5, 1)
        if asyncio.get_running_loop().time() + delay >= self._deadline:
            return False
        self._bound = min(self._bound * 2, _LONGEST_DELAY)
        await asyncio.sleep(delay)
        return True


async def run_transaction(
    mongo: MongoHandle, body: Callable[[Session], Coroutine[Any, Any, T]], *, deadline: float
) -> Committed[T]:
    """Run `body` in a transaction and commit it, within the time left until `deadline` (of the loop's clock).

    The body may run more than once: it does nothing but operations of this session, one at a time. If the caller
    is cancelled, the operations under way are let end first (a driver's thread cannot be called back), then the
    transaction is aborted; a commit under way may have taken effect.

    Raises the errors of `worker.mongo.errors`; after an `OutageError` of the commit it is not known whether
    the transaction took effect, so the caller must be able to find that out when it is called again.
    """
    with translated():
        session = await settled(mongo.client.start_session(causal_consistency=True))
        try:
            value = await _run_until_committed(mongo.client, session, body, deadline)
            return Committed(value, _token(session))
        finally:
            await _drained(session.end_session())


async def _run_until_committed(
    client: Client, session: Session, body: Callable[[Session], Coroutine[Any, Any, T]], deadline: float
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
                # Another inserted it after this snapshot was taken: the next one shows it.
                duplicate_keys += 1
                again = duplicate_keys < _DUPLICATE_KEY_TRIES
            else:
                again = error.has_error_label(TRANSIENT_TRANSACTION) and not _has_waited(error)
            if getattr(error, "code", None) == _WRITE_CONFLICT and patience.is_tried():
                await abort_stale_transactions(client)
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
    # The driver has waited for a server, or for a connection, for as long as an outage may be waited out. Repeated
    # until the deadline, as the label on it asks for, it would end as a job that takes too long.
    return isinstance(error, ServerSelectionTimeoutError | WaitQueueTimeoutError)


def _is_unknown(error: PyMongoError) -> bool:
    # Repeating a commit is always safe: it takes effect once. Without the label comes a failed write concern of
    # another kind than a time-out (the commit was applied here).
    return error.has_error_label(UNKNOWN_COMMIT) or isinstance(error, WriteConcernError | ConnectionFailure)


async def _drained(operation: Awaitable[T]) -> T:
    """Await the operation to its end even if this task is cancelled; then the cancellation goes on."""
    task = asyncio.ensure_future(operation)
    cancelled: asyncio.CancelledError | None = None
    try:
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            # Retrieved, so that asyncio does not report it as lost; the cancellation outweighs it.
            task.exception()
            raise cancelled
        return task.result()
    finally:
        # An error holds this frame by its traceback. Held by the frame in turn, it would stay, with all that the
        # body knew, until the collector of garbage comes by.
        del operation, task, cancelled


def _token(session: Session) -> str | None:
    operation_time, cluster_time = session.operation_time, session.cluster_time
    if operation_time is None or cluster_time is None:
        return None
    return encode_token(CausalPoint(operation_time, dict(cluster_time)))
