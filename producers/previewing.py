"""Asks the registry what an import would do."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from producers.client import HospitalProducer
from worker.contract import MAX_CHUNK_RECORDS, PREVIEW_HOSPITALS, OnExisting
from worker.contract.imports import PreviewHospitals
from worker.contract.known import Known

_IN_FLIGHT = 4


async def preview(
    producer: HospitalProducer, records: Iterable[Known], *, on_existing: OnExisting, wait_s: float
) -> Counter[str]:
    """Return how many of the records would be created, merged, kept and so on. Changes nothing.

    `wait_s` is how long to wait for a worker. Raises `TimeoutError` and the errors of a producer.
    """
    counts: Counter[str] = Counter()
    groups = _groups(records)

    async def ask() -> None:
        for group in groups:
            receipt = await producer.enqueue(
                PREVIEW_HOSPITALS, PreviewHospitals(records=group, on_existing=on_existing)
            )
            counts.update((await receipt.outcome(wait_s)).statuses)

    # The caller closes the producer if one of them fails, which ends the others.
    await asyncio.gather(*(ask() for _ in range(_IN_FLIGHT)))
    return counts


def _groups(records: Iterable[Known]) -> Iterator[list[object]]:
    remaining: Iterator[object] = iter(records)
    while group := list(islice(remaining, MAX_CHUNK_RECORDS)):
        yield group
