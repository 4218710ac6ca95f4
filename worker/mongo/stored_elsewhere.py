"""Finds hospitals that are stored under other identities than the rows of a chunk give them."""

from collections.abc import Collection, Sequence

from worker.contract.folding import name_key, spellings
from worker.contract.likeness import may_be_same, other_identities
from worker.mongo.chunk_rows import Row
from worker.mongo.client import Document, MongoHandle
from worker.mongo.schema import NAMES

# A name such as "Primary Health Centre" may be that of thousands.
_MOST_NAMESAKES = 20_000
_COMPARED = dict.fromkeys(
    ("hospital_name", "source", "country", "state", "city", "postal_code", "county", "address", "location"), True
)


async def find_elsewhere(mongo: MongoHandle, absent: Sequence[Row], present: Collection[str]) -> dict[int, str]:
    """Return by position the `_id` under which the hospitals of rows are stored, whose own identities are not.

    Each stored hospital is that of one row at most, and those that other rows are of (`present`) are left out. It
    takes two look-ups by an index: of identities and of names.
    """
    if not absent:
        return {}
    others = {row.position: other_identities(row.known) for row in absent}
    wanted = {other for ids in others.values() for other in ids}
    stored = {it["_id"] async for it in mongo.hospitals.find({"_id": {"$in": list(wanted)}}, projection=["_id"])}
    namesakes = await find_namesakes(mongo, absent)
    taken = set(present)
    found: dict[int, str] = {}
    for row in absent:
        by_identity = (other for other in others[row.position] if other in stored)
        by_name = (
            it["_id"]
            for it in namesakes.get(name_key(row.known["hospital_name"]), ())
            if may_be_of_source(it, row) and may_be_same(it, row.known)
        )
        for hospital_id in (*by_identity, *by_name):
            if hospital_id not in taken:
                taken.add(hospital_id)
                found[row.position] = hospital_id
                break
    return found


def may_be_of_source(stored: Document, row: Row) -> bool:
    """Whether a stored hospital may be of a row's list: either may be without a source."""
    source = row.known.get("source")
    return source is None or stored.get("source") in (source, None)


async def find_namesakes(mongo: MongoHandle, rows: Sequence[Row]) -> dict[str, list[Document]]:
    """Return what is stored under the names of rows, and what is compared of it, by `name_key`: 20,000 at most."""
    names = {spelling for row in rows for spelling in spellings(row.known["hospital_name"])}
    sources = {row.known.get("source") for row in rows}
    condition: Document = {"hospital_name": {"$in": list(names)}}
    if None not in sources:
        condition["source"] = {"$in": [*sources, None]}
    found: dict[str, list[Document]] = {}
    async for hospital in mongo.hospitals.find(condition, projection=_COMPARED, collation=NAMES).limit(
        _MOST_NAMESAKES
    ):
        found.setdefault(name_key(hospital["hospital_name"]), []).append(hospital)
    return found
