"""Asks the registry what an import would do."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from producers.client import HospitalProducer
from worker.contract import MAX_CHUNK_RECORDS, PREVIEW_HOSPITALS, OnExisting
from worker.contract.imports import PreviewHospitals
from worker.contract.known import Known

_IN_FLIGHT = 4


@dataclass(slots=True)
class Preview:
    """How many records would be created, merged, kept and so on.

    `stored_otherwise` of those that would be created are stored under their other identity already.
    """

    counts: Counter[str] = field(default_factory=Counter)
    stored_otherwise: int = 0

    @property
    def stores_twice(self) -> bool:
        """Whether an import would store most of these hospitals a second time, under other identities."""
        return self.stored_otherwise * 2 > self.counts.total()


async def preview(
    producer: HospitalProducer, records: Iterable[Known], *, on_existing: OnExisting, wait_s: float
) -> Preview:
    """Return what would become of the records. Changes nothing.

    `wait_s` is how long to wait for a worker. Raises `TimeoutError` and the errors of a producer.
    """
    found = Preview()
    groups = _groups(records)

    async def ask() -> None:
        for group in groups:
            receipt = await producer.enqueue(
                PREVIEW_HOSPITALS, PreviewHospitals(records=group, on_existing=on_existing)
            )
            outcome = await receipt.outcome(wait_s)
            found.counts.update(outcome.statuses)
            found.stored_otherwise += outcome.stored_otherwise

    # The caller closes the producer if one of them fails, which ends the others.
    await asyncio.gather(*(ask() for _ in range(_IN_FLIGHT)))
    return found


def _groups(records: Iterable[Known]) -> Iterator[list[object]]:
    remaining: Iterator[object] = iter(records)
    while group := list(islice(remaining, MAX_CHUNK_RECORDS)):
        yield group
