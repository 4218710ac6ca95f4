"""If MongoDB is unavailable, audited acts raise `OutageError` before their timeout, whatever they wait for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.mongo.conftest import Open, RunJob, WritesBlocked
from worker.contract import RegisterHospital
from worker.embedded import EmbeddedMongo
from worker.errors import OutageError
from worker.mongo.client import MongoHandle
from worker.mongo.registrations import Registrations
from worker.mongo.schema import ensure_schema

# As with the default settings, a job has time for several waits for a server, but its last try has less time than
# one such wait takes.
JOB_TIMEOUT_S, SELECTION_TIMEOUT_S = 12.0, 3.0


@pytest_asyncio.fixture
async def mongo_of_killed_server(open_handle: Open) -> AsyncIterator[MongoHandle]:
    """A handle that was used before its server was killed."""
    async with (
        EmbeddedMongo() as server,
        open_handle(server.url, mongodb_selection_timeout=SELECTION_TIMEOUT_S) as (mongo, _),
    ):
        await ensure_schema(mongo)
        await server.members[0].kill()
        yield mongo
        # A client that is closed while it reconnects leaves a socket to the garbage collector.
        await server.start()
        await mongo.client.admin.command("ping")


async def act(registrations: Registrations, record: dict[str, Any], job_id: str) -> None:
    request = RegisterHospital.model_validate({"record": record, "actor": "dr-ito", "reason": "seen"})
    # A timeout would cost the job a try.
    async with asyncio.timeout(JOB_TIMEOUT_S):
        deadline = asyncio.get_running_loop().time() + JOB_TIMEOUT_S
        await registrations.register(request, job_id, deadline=deadline)


async def test_an_act_reports_the_outage_before_its_timeout(
    mongo_of_killed_server: MongoHandle, record: Callable[..., dict[str, Any]]
) -> None:
    with pytest.raises(OutageError):
        await act(Registrations(mongo_of_killed_server), record(), "job")


async def test_acts_that_wait_for_the_hospitals_lock_report_the_outage_too(
    mongo_of_killed_server: MongoHandle, record: Callable[..., dict[str, Any]]
) -> None:
    registrations = Registrations(mongo_of_killed_server)
    ends = await asyncio.gather(
        *(act(registrations, record(), f"job-{number}") for number in range(20)), return_exceptions=True
    )
    assert {type(end) for end in ends} == {OutageError}


@pytest.mark.parametrize(
    ("job", "fields"),
    [("ingest_hospital", {}), ("register_hospital", {"actor": "dr-ito", "reason": "seen"})],
)
async def test_a_server_that_takes_no_writes_is_an_outage(
    run_job: RunJob,
    record: Callable[..., dict[str, Any]],
    writes_blocked: WritesBlocked,
    job: str,
    fields: dict[str, Any],
) -> None:
    payload = {"record": record(), **fields}
    async with writes_blocked():
        with pytest.raises(OutageError, match=r"UserWritesBlocked \(371\)"):
            await run_job(job, payload)
    assert (await run_job(job, payload)).status in ("created", "registered")
