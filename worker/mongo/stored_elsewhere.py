"""Finds hospitals that are stored under other identities than the rows of a chunk give them."""

from collections.abc import Collection, Sequence

from worker.contract.likeness import may_be_same, other_identities, spellings
from worker.mongo.chunk_rows import Row
from worker.mongo.client import Document, MongoHandle

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
    namesakes = await _find_namesakes(mongo, absent)
    taken = set(present)
    found: dict[int, str] = {}
    for row in absent:
        by_identity = (other for other in others[row.position] if other in stored)
        by_name = (
            it["_id"]
            for name in sorted(spellings(row.known["hospital_name"]))
            for it in namesakes.get(name, ())
            if it.get("source") in (row.known.get("source"), None) and may_be_same(it, row.known)
        )
        for hospital_id in (*by_identity, *by_name):
            if hospital_id not in taken:
                taken.add(hospital_id)
                found[row.position] = hospital_id
                break
    return found


async def _find_namesakes(mongo: MongoHandle, rows: Sequence[Row]) -> dict[str, list[Document]]:
    names = {spelling for row in rows for spelling in spellings(row.known["hospital_name"])}
    sources = {row.known.get("source") for row in rows}
    # A hospital without a source may be of any list.
    condition = {"hospital_name": {"$in": list(names)}, "source": {"$in": [*(sources | {None})]}}
    found: dict[str, list[Document]] = {}
    async for hospital in mongo.hospitals.find(condition, projection=_COMPARED).limit(_MOST_NAMESAKES):
        found.setdefault(hospital["hospital_name"], []).append(hospital)
    return found
