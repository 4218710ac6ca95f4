"""Reads hospitals; a caller that presents the causal token of a write sees that write."""

import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pymongo import ReadPreference
from pymongo.read_concern import ReadConcern

from worker.contract import HospitalType
from worker.mongo.causal import session_seeing
from worker.mongo.client import Collection, Document, MongoHandle
from worker.mongo.errors import translated

_MEMBERS = {
    "primary": ReadPreference.PRIMARY,
    "primaryPreferred": ReadPreference.PRIMARY_PREFERRED,
    "secondary": ReadPreference.SECONDARY,
    "secondaryPreferred": ReadPreference.SECONDARY_PREFERRED,
    "nearest": ReadPreference.NEAREST,
}
PUBLIC: Document = {"applied_jobs": False}
"""A projection that leaves out the service's own bookkeeping, which is not part of the hospital."""

Members = Literal["primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest"]


class HospitalFilter(BaseModel):
    """Selects the hospitals that have exactly the given values; fields left out match any value.

    `name_contains` is a part of the name, whatever its case; `updated_since` is the earliest `updated_at`.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    hospital_name: str | None = None
    hospital_type: HospitalType | None = None
    status: Literal["partial", "registered"] | None = None
    source: str | None = None
    country: str | None = None
    state: str | None = None
    city: str | None = None
    name_contains: str | None = None
    updated_since: datetime | None = None

    def query(self) -> Document:
        """Return the filter as a MongoDB query."""
        query = self.model_dump(exclude_none=True, exclude={"name_contains", "updated_since"})
        if self.name_contains is not None:
            # Escaped, because a part of a name is not an expression: `(` and `.` are characters of names. MongoDB
            # refuses an expression with a null character in it.
            expression = re.escape(self.name_contains).replace("\0", r"\x00")
            part = {"hospital_name": {"$regex": expression, "$options": "i"}}
            query = {"$and": [query, part]} if self.hospital_name is not None else query | part
        if self.updated_since is not None:
            query["updated_at"] = {"$gte": self.updated_since}
        return query


class HospitalReader:
    """Reads hospitals with majority read concern, from `members` (a read preference of MongoDB).

    Its methods raise `InvalidPayload` for a token that is not a causal token of this service, and the errors of
    `worker.mongo.errors`.
    """

    def __init__(self, mongo: MongoHandle, members: Members = "primaryPreferred") -> None:
        self._mongo = mongo
        self._hospitals: Collection = mongo.hospitals.with_options(
            read_preference=_MEMBERS[members], read_concern=ReadConcern("majority")
        )

    async def find_one(self, hospital_id: str, *, token: str | None = None) -> Document | None:
        """Return the hospital with this `_id`; `None` if there is none."""
        with translated():
            async with session_seeing(self._mongo, token) as session:
                return await self._hospitals.find_one({"_id": hospital_id}, PUBLIC, session=session)

    async def find(
        self, wanted: HospitalFilter | None = None, *, token: str | None = None
    ) -> AsyncIterator[Document]:
        """Yield the matching hospitals, or all without a filter, holding one batch in memory at a time.

        A caller that does not read to the end must close the iterator (`contextlib.aclosing`), which closes the
        cursor.
        """
        query = wanted.query() if wanted is not None else {}
        with translated():
            async with session_seeing(self._mongo, token) as session:
                cursor = self._hospitals.find(query, PUBLIC, session=session)
                try:
                    async for hospital in cursor:
                        yield hospital
                finally:
                    await cursor.close()
