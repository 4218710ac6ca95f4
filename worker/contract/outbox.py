"""What the outbox in MongoDB and the relay that empties it agree on."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

OUTBOX_MARK = "outbox:"
"""Stands in the id of a job of the outbox where the ids of others have their key, before a random one."""


class Place(NamedTuple):
    """Where a job stands in the outbox: it is the `seq`-th job of its hospital, counted from 1, without gaps."""

    hospital_id: str
    seq: int

    @property
    def before(self) -> "Place":
        """The place of the job before it, of the same hospital."""
        return Place(self.hospital_id, self.seq - 1)

    @property
    def after(self) -> "Place":
        """The place of the next job of the same hospital."""
        return Place(self.hospital_id, self.seq + 1)


class OutboxJob(NamedTuple):
    """One job in the outbox, without its envelope. It is due at `due`, `delay_ms` after it was written."""

    place: Place
    job_id: str
    due: datetime
    delay_ms: int

    def left_ms(self, now: datetime) -> int:
        """Return for how many milliseconds the job is not to run yet.

        That is never more than it was to be delayed: the clock of who wrote it may be ahead of this one.
        """
        return min(self.delay_ms, max(0, round((self.due - now).total_seconds() * 1000)))


class OutboxPage(NamedTuple):
    """The first jobs of some hospitals. The next page comes after the id `last`; `None`: this is the last page.

    `unreadable` is how many documents on it are not jobs: another program has written them past the validator.
    """

    heads: Sequence[OutboxJob]
    last: Any
    unreadable: int = 0


class OutboxSize(NamedTuple):
    """How many jobs the outbox has, and when the oldest of them was due."""

    jobs: int
    oldest_due: datetime | None
