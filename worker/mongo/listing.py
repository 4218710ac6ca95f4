"""Lists hospitals in an order, and says how MongoDB finds them."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any, Literal

from pymongo import ASCENDING, ReadPreference

from worker.mongo.audit.tolerant_reads import majority
from worker.mongo.causal import session_seeing
from worker.mongo.client import Document, MongoHandle
from worker.mongo.errors import translated
from worker.mongo.reader import PUBLIC, HospitalFilter

# By default the server sends 16 MB at a time, which takes ten times as much memory as Python objects.
_BATCH = 1_000

Order = Literal["_id", "hospital_name"]


async def find_hospital(mongo: MongoHandle, hospital_id: str, *, token: str | None = None) -> Document | None:
    """Return the hospital with this `_id`; `None` if there is none.

    With the causal token of a write, the read sees that write. Raises `InvalidPayload` if it is not a causal token
    of this service, and the errors of `worker.mongo.errors`.
    """
    with translated():
        async with session_seeing(mongo, token) as session:
            return await majority(mongo.hospitals).find_one({"_id": hospital_id}, PUBLIC, session=session)


async def list_hospitals(
    mongo: MongoHandle,
    wanted: HospitalFilter,
    *,
    order: Order,
    limit: int = 0,
    after: str | None = None,
    token: str | None = None,
) -> AsyncGenerator[Document, None]:
    """Yield the matching hospitals, `limit` of them at most (0: all), holding one batch in memory at a time.

    `after` is the `_id` of the last hospital that an earlier call in the order of `_id` has yielded. `token` is as
    for `find_hospital`. Documents that another program has damaged are yielded as well as they can be read. Whoever
    does not read to the end must close the iterator (`contextlib.aclosing`). Raises as `find_hospital` does.
    """
    hospitals = majority(mongo.hospitals).with_options(read_preference=ReadPreference.PRIMARY_PREFERRED)
    query = wanted.query() if after is None else {**wanted.query(), "_id": {"$gt": after}}
    with translated():
        async with session_seeing(mongo, token) as session:
            cursor = hospitals.find(
                query, PUBLIC, sort=[(order, ASCENDING)], limit=limit, batch_size=_BATCH, session=session
            )
            try:
                async for hospital in cursor:
                    yield hospital
            finally:
                await cursor.close()


async def describe_search(mongo: MongoHandle, wanted: HospitalFilter, *, order: Order) -> str:
    """Return in words which index `list_hospitals` uses, or that it scans. Raises as that does."""
    find = {"find": mongo.hospitals.name, "filter": wanted.query(), "sort": {order: 1}}
    with translated():
        explained = await mongo.database.command({"explain": find, "verbosity": "queryPlanner"})
    scan = next(_index_scans(explained["queryPlanner"]["winningPlan"]), None)
    if scan is None:
        return "no index helps: every hospital is read"
    index = scan["indexName"]
    bounds = [bound for field in scan["indexBounds"].values() for bound in field]
    whole = any(bound.startswith(('["", {})', "[MinKey, MaxKey]")) for bound in bounds)
    return f"every entry of the index {index} is read" if whole else f"the index {index} is used"


def _index_scans(plan: Any) -> Iterator[Document]:
    # Servers nest the stages of a plan differently.
    if isinstance(plan, list):
        for part in plan:
            yield from _index_scans(part)
    elif isinstance(plan, dict):
        if plan.get("stage") == "IXSCAN":
            yield plan
        for part in plan.values():
            yield from _index_scans(part)
