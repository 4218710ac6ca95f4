"""Writes jobs to the outbox, within a transaction of the caller's.

This imports no driver: the caller's session brings its own, Motor or PyMongo's asynchronous client.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from worker.errors import ConfigurationError

OUTBOX = "outbox"
OUTBOX_HOSPITALS = "outbox_hospitals"
# `ReturnDocument.AFTER` of PyMongo.
_AFTER = True
# MongoDB's time, as a number: the caller's client may read dates in a way of its own.
_COUNTED = {"seq": True, "now_ms": {"$toLong": "$$NOW"}}
# A thousand years: later dates are beyond what Python and MongoDB can exchange.
_LONGEST_DELAY_MS = 1_000 * 365 * 86_400_000


class Session(Protocol):
    """A session of Motor's client, or of PyMongo's asynchronous one."""

    @property
    def client(self) -> Any:
        """The client that the session was started from."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction was started on it, and has not ended."""


async def add_to_outbox(
    session: Session, database: str, hospital_id: str, job_id: str, envelope: bytes, *, delay_ms: int
) -> None:
    """Add a job to the outbox in `database`, in the transaction of `session`.

    Two transactions that add a job of the same hospital conflict, as if both changed the hospital itself: the
    driver's error goes to the caller, who runs the transaction again. Raises `ConfigurationError` without a
    transaction, and for a session of a blocking client.

    The delay counts by MongoDB's clock: those of the many services that add jobs may be wrong.
    """
    # Its calls would be sent, and only then turn out not to be awaitable.
    if not hasattr(session, "__aenter__"):
        raise ConfigurationError(
            "the outbox needs a session of Motor's client or of PyMongo's AsyncMongoClient, not of a blocking one"
        )
    if not session.in_transaction:
        raise ConfigurationError(
            "the outbox needs a session with a transaction: call within `async with session.start_transaction():`"
        )
    collections = session.client[database]
    counted = await collections[OUTBOX_HOSPITALS].find_one_and_update(
        {"_id": hospital_id},
        {"$inc": {"seq": 1}},
        projection=_COUNTED,
        upsert=True,
        return_document=_AFTER,
        session=session,
    )
    delay_ms = min(delay_ms, _LONGEST_DELAY_MS)
    due = datetime.fromtimestamp(counted["now_ms"] / 1000, UTC) + timedelta(milliseconds=delay_ms)
    await collections[OUTBOX].insert_one(
        {
            "_id": {"hospital": hospital_id, "seq": counted["seq"]},
            "job": job_id,
            "due": due,
            "delay_ms": delay_ms,
            "envelope": envelope,
        },
        session=session,
    )
