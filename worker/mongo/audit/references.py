"""What the chains of the audit log must account for, read along with them in the order of the hospitals."""

from collections.abc import AsyncIterator, Iterator

from worker.mongo.audit.chain import Head, Reference
from worker.mongo.client import Document


class ReferenceStream:
    """Registered hospitals and exported heads, put together; both come in the order of `_id` by code point.

    It is asked about hospitals in that order too, so that one of each is in memory at a time.
    """

    def __init__(self, hospitals: AsyncIterator[Document], heads: Iterator[Head]) -> None:
        self._hospitals = hospitals
        self._heads = heads
        self._hospital: Document | None = None
        self._head: Head | None = None
        self._started = False

    async def before(self, hospital_id: str | None) -> AsyncIterator[Reference]:
        """Yield those not told yet that come before this hospital; all if it is `None`."""
        while True:
            following = await self._following()
            if following is None or (hospital_id is not None and following >= hospital_id):
                return
            yield await self.of(following)

    async def of(self, hospital_id: str) -> Reference:
        """Return what is expected of this hospital, possibly nothing; those before it were told."""
        await self._following()
        hospital = head = None
        if self._hospital is not None and self._hospital["_id"] == hospital_id:
            hospital, self._hospital = self._hospital, await anext(self._hospitals, None)
        if self._head is not None and self._head.hospital_id == hospital_id:
            head, self._head = self._head, next(self._heads, None)
        return Reference(hospital_id, hospital, head)

    async def _following(self) -> str | None:
        if not self._started:
            self._started = True
            self._hospital = await anext(self._hospitals, None)
            self._head = next(self._heads, None)
        ids = [self._hospital["_id"]] if self._hospital is not None else []
        if self._head is not None:
            ids.append(self._head.hospital_id)
        return min(ids, default=None)
