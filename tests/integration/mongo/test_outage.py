"""Audited acts while MongoDB is away: whatever they wait for, they tell of an outage before their time is up."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.mongo.conftest import Open
from worker.contract import RegisterHospital
from worker.embedded import EmbeddedMongo
from worker.errors import OutageError
from worker.mongo.client import MongoHandle
from worker.mongo.registrations import Registrations
from worker.mongo.schema import ensure_schema

# As by default, a run has time for several waits for a server, and its last try has less than one takes.
JOB_TIMEOUT_S, SELECTION_TIMEOUT_S = 12.0, 3.0


@pytest_asyncio.fixture
async def away(open_handle: Open) -> AsyncIterator[MongoHandle]:
    """A client whose server was killed after it had been used."""
    async with (
        EmbeddedMongo() as server,
        open_handle(server.url, mongodb_selection_timeout=SELECTION_TIMEOUT_S) as (mongo, _),
    ):
        await ensure_schema(mongo)
        await server.members[0].kill()
        yield mongo
        # A client that is closed while it reconnects leaves a socket to the collector of garbage.
        await server.start()
        await mongo.client.admin.command("ping")


async def act(registrations: Registrations, record: dict[str, Any], job_id: str) -> None:
    order = RegisterHospital.model_validate({"record": record, "actor": "dr-ito", "reason": "seen"})
    # What cuts a job off spends a try of it.
    async with asyncio.timeout(JOB_TIMEOUT_S):
        deadline = asyncio.get_running_loop().time() + JOB_TIMEOUT_S
        await registrations.register(order, job_id, deadline=deadline)


async def test_an_act_tells_of_the_outage_in_time(away: MongoHandle, record: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(OutageError):
        await act(Registrations(away), record(), "job")


async def test_acts_that_wait_for_their_turn_tell_of_it_too(
    away: MongoHandle, record: Callable[..., dict[str, Any]]
) -> None:
    registrations = Registrations(away)
    ends = await asyncio.gather(
        *(act(registrations, record(), f"job-{number}") for number in range(20)), return_exceptions=True
    )
    assert {type(end) for end in ends} == {OutageError}
