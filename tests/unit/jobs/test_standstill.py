import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from worker.errors import ConflictError, OutageError, PermanentError, TransientError
from worker.jobs.context import CONTEXT_KEY, WorkerContext
from worker.jobs.standstill import outage_while_writes_stand_still
from worker.mongo.client import MongoHandle
from worker.mongo.registrations import Registrations
from worker.settings import load_settings


def context(*, stands_still: bool) -> dict[str, Any]:
    mongo = cast(MongoHandle, SimpleNamespace(write_progress=SimpleNamespace(stands_still=stands_still)))
    return {CONTEXT_KEY: WorkerContext(load_settings(), mongo, Registrations(mongo)), "job_id": "job"}


async def call(error: BaseException, *, stands_still: bool) -> None:
    async def job(ctx: dict[str, Any], payload: dict[str, Any]) -> None:
        raise error

    await outage_while_writes_stand_still(job)(context(stands_still=stands_still), {})


@pytest.mark.parametrize(
    "error", [TransientError("not in time"), ConflictError("its own first try"), asyncio.CancelledError()], ids=repr
)
async def test_a_job_that_gave_up_while_nothing_was_written_met_an_outage(error: BaseException) -> None:
    with pytest.raises(OutageError, match="its writes are locked"):
        await call(error, stands_still=True)
    with pytest.raises(type(error)) as raised:
        await call(error, stands_still=False)
    assert raised.value is error


async def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(PermanentError):
        await call(PermanentError("refused"), stands_still=True)


async def test_a_job_that_ends_well_is_not_touched() -> None:
    async def job(ctx: dict[str, Any], payload: dict[str, Any]) -> str:
        return "done"

    assert await outage_while_writes_stand_still(job)(context(stands_still=True), {}) == "done"
