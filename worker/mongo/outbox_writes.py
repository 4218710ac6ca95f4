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
    transaction.
    """
    if not session.in_transaction:
        raise ConfigurationError(
            "the outbox needs a session with a transaction: call within `async with session.start_transaction():`"
        )
    collections = session.client[database]
    counted = await collections[OUTBOX_HOSPITALS].find_one_and_update(
        {"_id": hospital_id}, {"$inc": {"seq": 1}}, upsert=True, return_document=_AFTER, session=session
    )
    await collections[OUTBOX].insert_one(
        {
            "_id": {"hospital": hospital_id, "seq": counted["seq"]},
            "job": job_id,
            "due": datetime.now(UTC) + timedelta(milliseconds=delay_ms),
            "delay_ms": delay_ms,
            "envelope": envelope,
        },
        session=session,
    )
