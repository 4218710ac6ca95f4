"""Validates the records of a chunk, each by itself."""

import asyncio
from collections.abc import Sequence

from worker.contract import Rejection
from worker.contract.known import Known, parse_all_known, parse_known
from worker.errors import InvalidPayload

# Validating this many records takes a few milliseconds; then other jobs get a turn on the event loop.
_RECORDS_PER_TURN = 200


async def validated(raw_records: Sequence[object]) -> list[Known | Rejection]:
    """Return the known fields of the records, in order; a `Rejection` takes the place of an invalid one."""
    records: list[Known | Rejection] = []
    for first in range(0, len(raw_records), _RECORDS_PER_TURN):
        await asyncio.sleep(0)
        some = raw_records[first : first + _RECORDS_PER_TURN]
        # Usually all are valid, and validating them together takes less time.
        if (valid := parse_all_known(some)) is not None:
            records += valid
        else:
            records += [_validated(index, raw) for index, raw in enumerate(some, first)]
    return records


def _validated(index: int, raw: object) -> Known | Rejection:
    try:
        return parse_known(raw, within=f"records[{index}]")
    except InvalidPayload as error:
        return Rejection(index=index, problems=[str(problem) for problem in error.problems])
