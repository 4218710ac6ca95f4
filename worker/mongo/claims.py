"""Who has which identity in a running import: the collection `import_claims`.

A hospital that an import creates names the row that it was created from, which costs no further write. For a
hospital that was stored before the import, the first row of the import writes a claim here, before it changes the
hospital. The `_id` is the identity within the import, so of several rows that claim at the same time, in whatever
process, one succeeds. A claim stays when the job is delivered again, or is lost and retried later.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from bson import MaxKey, MinKey
from pymongo.errors import BulkWriteError

from worker.contract.comparison import DISTINGUISHING_FIELDS
from worker.mongo.chunk_rows import Holder, Row
from worker.mongo.client import Document, MongoHandle
from worker.mongo.errors import DUPLICATE_KEY, translated

IMPORT_CLAIMS = "import_claims"
# An import whose end was never reported leaves its claims; a dead letter of it may be retried until then.
_KEPT = timedelta(days=30)


async def claim(mongo: MongoHandle, import_id: str, rows: Mapping[str, Row]) -> dict[str, Holder]:
    """Claim each identity for its row, unless another row of the import has it; return who has it then.

    Raises the errors of `worker.mongo.errors`.
    """
    if not rows:
        return {}
    claims = mongo.database[IMPORT_CLAIMS]
    expires_at = datetime.now(UTC) + _KEPT
    taken: list[Document] = []
    with translated():
        try:
            await claims.insert_many([_claim(import_id, row, expires_at) for row in rows.values()], ordered=False)
        except BulkWriteError as error:
            failures = error.details["writeErrors"]
            if error.details.get("writeConcernErrors") or any(it["code"] != DUPLICATE_KEY for it in failures):
                raise
            hospital_ids = list(rows)
            ids = [_key(import_id, hospital_ids[failure["index"]]) for failure in failures]
            taken = await claims.find({"_id": {"$in": ids}}).to_list(None)
    holders = {
        hospital_id: Holder(row.known, line=row.line, position=row.position) for hospital_id, row in rows.items()
    }
    for other in taken:
        hospital_id = other["_id"]["hospital"]
        if other["line"] != rows[hospital_id].line:
            holders[hospital_id] = Holder(other["row"], line=other["line"])
    return holders


async def release_claims(mongo: MongoHandle, import_id: str) -> int:
    """Remove the claims of an import that has ended; return how many there were.

    Do it when no job of the import can run any more: not while a dead letter of it may be retried. Claims that
    nobody removes expire after 30 days. Raises the errors of `worker.mongo.errors`.
    """
    with translated():
        removed = await mongo.database[IMPORT_CLAIMS].delete_many(
            {"_id": {"$gte": _key(import_id, MinKey()), "$lte": _key(import_id, MaxKey())}}
        )
    return removed.deleted_count


def _claim(import_id: str, row: Row, expires_at: datetime) -> Document:
    return {
        "_id": _key(import_id, row.hospital_id),
        "line": row.line,
        "row": {field: row.known[field] for field in DISTINGUISHING_FIELDS if field in row.known},
        "expires_at": expires_at,
    }


def _key(import_id: str, hospital_id: object) -> Document:
    return {"import": import_id, "hospital": hospital_id}
