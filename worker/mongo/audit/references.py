"""Supplies the reference that each audit chain is checked against, in the order of the chains."""

from collections.abc import AsyncIterator, Iterator

from worker.mongo.audit.chain import Head, Reference
from worker.mongo.client import Document


class ReferenceStream:
    """Merges registered hospitals and exported heads into references.

    Both inputs must be sorted by `_id`, by code point. The caller asks for hospitals in the same order, so only one
    hospital and one head are in memory at a time.
    """

    def __init__(self, hospitals: AsyncIterator[Document], heads: Iterator[Head]) -> None:
        self._hospitals = hospitals
        self._heads = heads
        self._hospital: Document | None = None
        self._head: Head | None = None
        self._started = False

    async def before(self, hospital_id: str | None) -> AsyncIterator[Reference]:
        """Yield the remaining references that sort before this hospital; all of them if it is `None`."""
        while True:
            following = await self._following()
            if following is None or (hospital_id is not None and following >= hospital_id):
                return
            yield await self.of(following)

    async def of(self, hospital_id: str) -> Reference:
        """Return the reference of this hospital, which may be empty.

        The references before it must have been consumed.
        """
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
