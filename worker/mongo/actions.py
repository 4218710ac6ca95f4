"""The collection `actions`: what operators did. It is only ever appended to."""

from collections.abc import Sequence
from datetime import datetime

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import BulkWriteError

from worker.contract.actions import Action
from worker.mongo.act_filter import ActFilter
from worker.mongo.client import Document, MongoHandle
from worker.mongo.errors import only_duplicates, translated

ACTIONS = "actions"
_NEWEST_FIRST = [("at", DESCENDING), ("_id", DESCENDING)]
ACTION_INDEXES = [
    IndexModel(_NEWEST_FIRST),
    *(IndexModel([(name, ASCENDING), *_NEWEST_FIRST]) for name in ("actor", "act")),
]


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
            only_duplicates(error)


async def newest_actions(
    mongo: MongoHandle, wanted: ActFilter, limit: int, *, act: str = "", before: tuple[datetime, str] | None = None
) -> list[Document]:
    """Return the latest of the matching actions, the newest first; `act` selects those of one kind.

    `before` has the time and the id of an action, and older ones are returned. Raises the errors of
    `worker.mongo.errors`.
    """
    query: list[Document] = [wanted.query(), {"act": act} if act else {}]
    if before is not None:
        at, action_id = before
        # The first bounds the index, the second is for actions of the same time.
        query += [{"at": {"$lte": at}}, {"$or": [{"at": {"$lt": at}}, {"_id": {"$lt": action_id}}]}]
    with translated():
        found = mongo.database[ACTIONS].find({"$and": query}, sort=_NEWEST_FIRST, limit=limit)
        return await found.to_list(None)
