"""The collection `actions`: what operators did. It is only ever appended to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pymongo import DESCENDING
from pymongo.errors import BulkWriteError

from worker.contract.actions import Action
from worker.mongo.client import Document, MongoHandle
from worker.mongo.errors import translated

ACTIONS = "actions"
_DUPLICATE_KEY = 11000


@dataclass(frozen=True, slots=True)
class ActionFilter:
    """Selects actions from `since` on, before `until`, and of one actor; `None` selects all."""

    since: datetime | None = None
    until: datetime | None = None
    actor: str | None = None

    def query(self) -> Document:
        """Return the filter as a MongoDB query."""
        bounds = {"$gte": self.since, "$lt": self.until}
        at = {operator: instant for operator, instant in bounds.items() if instant is not None}
        return ({"at": at} if at else {}) | ({} if self.actor is None else {"actor": self.actor})


async def store_actions(mongo: MongoHandle, actions: Sequence[Action]) -> None:
    """Append actions; those that are stored already stay. Raises the errors of `worker.mongo.errors`."""
    documents = [
        {"_id": action.id, **action.model_dump(exclude={"id"}, exclude_none=True), "ids": list(action.ids)}
        for action in actions
    ]
    with translated():
        try:
            await mongo.database[ACTIONS].insert_many(documents, ordered=False)
        except BulkWriteError as error:
            if any(each["code"] != _DUPLICATE_KEY for each in error.details["writeErrors"]):
                raise


async def newest_actions(mongo: MongoHandle, wanted: ActionFilter, limit: int) -> list[Document]:
    """Return the latest of the matching actions, the newest first. Raises the errors of `worker.mongo.errors`."""
    with translated():
        found = mongo.database[ACTIONS].find(
            wanted.query(), sort=[("at", DESCENDING), ("_id", DESCENDING)], limit=limit
        )
        return await found.to_list(None)
