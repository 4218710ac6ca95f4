"""Selects what people did, in the audit log or in the list of actions, by time and actor."""

from dataclasses import dataclass
from datetime import datetime

from worker.mongo.client import Document


@dataclass(frozen=True, slots=True)
class ActFilter:
    """Selects what was done from `since` on, before `until`, and of one actor; `None` selects all."""

    since: datetime | None = None
    until: datetime | None = None
    actor: str | None = None

    def query(self) -> Document:
        """Return the filter as a MongoDB query."""
        bounds = {"$gte": self.since, "$lt": self.until}
        at = {operator: instant for operator, instant in bounds.items() if instant is not None}
        return ({"at": at} if at else {}) | ({} if self.actor is None else {"actor": self.actor})
