"""Validates the records of a chunk, each by itself."""

import asyncio
from collections.abc import Sequence

from worker.contract import HospitalRecord, Rejection
from worker.contract.validation import parse
from worker.errors import InvalidPayload

# Validating this many records takes a few milliseconds; then other jobs get a turn on the event loop.
_RECORDS_PER_TURN = 200


async def validated(raw_records: Sequence[object]) -> list[HospitalRecord | Rejection]:
    """Return the records in order; a `Rejection` takes the place of an invalid one."""
    records: list[HospitalRecord | Rejection] = []
    for index, raw in enumerate(raw_records):
        if index % _RECORDS_PER_TURN == 0:
            await asyncio.sleep(0)
        records.append(_validated(index, raw))
    return records


def _validated(index: int, raw: object) -> HospitalRecord | Rejection:
    try:
        return parse(HospitalRecord, raw, within=f"records[{index}]")
    except InvalidPayload as error:
        return Rejection(index=index, problems=[str(problem) for problem in error.problems])
