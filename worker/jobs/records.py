"""Validates the records of a chunk, each by itself."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from pydantic import FailFast, TypeAdapter, ValidationError

from worker.contract import HospitalRecord, Rejection
from worker.contract.validation import parse
from worker.errors import InvalidPayload

# Validating this many records takes a few milliseconds; then other jobs get a turn on the event loop.
_RECORDS_PER_TURN = 200
_VALID: TypeAdapter[list[HospitalRecord]] = TypeAdapter(Annotated[list[HospitalRecord], FailFast()])


async def validated(raw_records: Sequence[object]) -> list[HospitalRecord | Rejection]:
    """Return the records in order; a `Rejection` takes the place of an invalid one."""
    records: list[HospitalRecord | Rejection] = []
    for first in range(0, len(raw_records), _RECORDS_PER_TURN):
        await asyncio.sleep(0)
        some = raw_records[first : first + _RECORDS_PER_TURN]
        try:
            # Usually all are valid, and validating them together takes less time.
            records += _VALID.validate_python(some)
        except ValidationError:
            records += [_validated(index, raw) for index, raw in enumerate(some, first)]
    return records


def _validated(index: int, raw: object) -> HospitalRecord | Rejection:
    try:
        return parse(HospitalRecord, raw, within=f"records[{index}]")
    except InvalidPayload as error:
        return Rejection(index=index, problems=[str(problem) for problem in error.problems])
