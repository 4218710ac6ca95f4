"""Who has which identity in a running import: the collection `import_claims`.

A hospital that an import creates names the row that it was created from, which costs no further write. For a
hospital that was stored before the import, the first row of the import writes a claim here, before it changes the
hospital. A unique index has the identities of an import, so of several rows that claim one at the same time, in
whatever process, one succeeds. A claim stays when the job is delivered again, or is lost and retried later.

A document has the claims of many rows: a document and an entry of each index for every row of a file that was
imported before would cost as much as inserting the file.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, IndexModel
from pymongo.errors import BulkWriteError

from worker.contract.comparison import collision_fields
from worker.mongo.chunk_rows import Holder, Row
from worker.mongo.chunk_writes import lost_races
from worker.mongo.client import Document, MongoHandle, settled
from worker.mongo.errors import only_duplicates, translated
from worker.mongo.hospitals import UPSERT_TRIES

IMPORT_CLAIMS = "import_claims"
CLAIM_INDEXES = [
    IndexModel([("import", ASCENDING), ("claims.hospital", ASCENDING)], unique=True),
    IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
]
# An import whose end was never reported leaves its claims; a dead letter of it may be retried until then.
_KEPT = timedelta(days=30)
# One that is taken has all others of its document inserted again, and a look-up of one reads all of these.
_CLAIMS_PER_DOCUMENT = 50


async def claim(mongo: MongoHandle, import_id: str, rows: Mapping[str, Row]) -> dict[str, Holder]:
    """Claim each identity for its row, unless another row of the import has it; return who has it then.

    Raises `ConflictError` if other jobs keep claiming and releasing the identities, and the errors of
    `worker.mongo.errors`.
    """
    holders = {
        hospital_id: Holder(row.known, line=row.line, position=row.position) for hospital_id, row in rows.items()
    }
    expires_at = datetime.now(UTC) + _KEPT
    unclaimed = list(rows.values())
    for _ in range(UPSERT_TRIES):
        if not unclaimed:
            return holders
        refused = await _insert(mongo, import_id, unclaimed, expires_at)
        taken = await _find(mongo, import_id, [row.hospital_id for row in refused])
        holders |= {
            hospital_id: other for hospital_id, other in taken.items() if other.line != rows[hospital_id].line
        }
        unclaimed = [row for row in refused if row.hospital_id not in taken]
    raise lost_races(len(unclaimed))


async def _insert(mongo: MongoHandle, import_id: str, rows: Sequence[Row], expires_at: datetime) -> list[Row]:
    """Insert the claims of rows; return those whose document was refused, because one of them is taken."""
    groups = list(_grouped(rows))
    documents: list[Document] = [
        {
            "_id": ObjectId(),
            "import": import_id,
            "claims": [
                {
                    "hospital": row.hospital_id,
                    "line": row.line,
                    "row": collision_fields(row.known),
                }
                for row in group
            ],
            "expires_at": expires_at,
        }
        for group in groups
    ]
    with translated():
        try:
            await mongo.database[IMPORT_CLAIMS].insert_many(documents, ordered=False)
        except BulkWriteError as error:
            return [row for position in only_duplicates(error) for row in groups[position]]
    return []


def _grouped(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for first in range(0, len(rows), _CLAIMS_PER_DOCUMENT):
        yield rows[first : first + _CLAIMS_PER_DOCUMENT]


async def _find(mongo: MongoHandle, import_id: str, hospital_ids: list[str]) -> dict[str, Holder]:
    """Return who has these identities in the import."""
    if not hospital_ids:
        return {}
    wanted = {"claims.hospital": {"$in": hospital_ids}}
    steps: list[Document] = [
        {"$match": {"import": import_id, **wanted}},
        {"$unwind": "$claims"},
        {"$match": wanted},
        {"$replaceWith": "$claims"},
    ]
    with translated():
        cursor: Any = mongo.database[IMPORT_CLAIMS].aggregate(steps)
        found = await (await settled(cursor)).to_list(None)
    return {each["hospital"]: Holder(each["row"], line=each["line"]) for each in found}


async def release_claims(mongo: MongoHandle, import_id: str) -> None:
    """Remove the claims of an import that has ended.

    Do it when no job of the import can run any more: not while a dead letter of it may be retried. Claims that
    nobody removes expire after 30 days. Raises the errors of `worker.mongo.errors`.
    """
    with translated():
        await mongo.database[IMPORT_CLAIMS].delete_many({"import": import_id})
