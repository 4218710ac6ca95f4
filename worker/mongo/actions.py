"""The collection `actions`: what operators did. It is only ever appended to."""

from collections.abc import Sequence

from pymongo import DESCENDING
from pymongo.errors import BulkWriteError

from worker.contract.actions import Action
from worker.mongo.act_filter import ActFilter
from worker.mongo.client import Document, MongoHandle
from worker.mongo.errors import only_duplicates, translated

ACTIONS = "actions"


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


async def newest_actions(mongo: MongoHandle, wanted: ActFilter, limit: int) -> list[Document]:
    """Return the latest of the matching actions, the newest first. Raises the errors of `worker.mongo.errors`."""
    with translated():
        found = mongo.database[ACTIONS].find(
            wanted.query(), sort=[("at", DESCENDING), ("_id", DESCENDING)], limit=limit
        )
        return await found.to_list(None)
