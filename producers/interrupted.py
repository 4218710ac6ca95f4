"""Distinguishes an import that runs from one that was interrupted."""

import asyncio
from collections.abc import Iterable

from producers.client import HospitalProducer
from worker.contract.imports import Import
from worker.errors import BatchNotFound

# A producer that runs adds the next chunk long before this.
_QUIET_S = 1.0


async def interrupted_imports(producer: HospitalProducer, imports: Iterable[Import]) -> frozenset[str]:
    """Return the ids of those that have not ended although none of their chunks waits, runs or is added.

    It watches them for a second. Raises the errors of a producer.
    """
    first = await _idle(producer, [it.import_id for it in imports if it.state == "running"])
    if not first:
        return frozenset()
    await asyncio.sleep(_QUIET_S)
    still = await _idle(producer, first)
    return frozenset(import_id for import_id, total in still.items() if total == first[import_id])


async def _idle(producer: HospitalProducer, import_ids: Iterable[str]) -> dict[str, int]:
    """Return the number of chunks of each open import all of whose chunks have ended."""
    found: dict[str, int] = {}
    for import_id in import_ids:
        try:
            progress = await producer.batch(import_id).progress()
        except BatchNotFound:
            # It was interrupted before its batch was made, or Redis has lost it.
            found[import_id] = 0
            continue
        if progress.state == "open" and progress.ended == progress.total:
            found[import_id] = progress.total
    return found
