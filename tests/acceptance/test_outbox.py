"""Jobs of committed transactions, from a service's own code to their outcomes: real processes and servers."""

import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pymongo import AsyncMongoClient

from producers.outbox import HospitalOutbox
from tests.acceptance.conftest import Site
from tests.acceptance.test_client_examples import ROOT, example
from worker.contract import REGISTER_HOSPITAL, HospitalChanges, HospitalRecord
from worker.errors import JobNotFound
from worker.queue import keys

MERCY = HospitalRecord(hospital_name="Mercy", source="cms", external_id="1")
BY: Any = {"actor": "dr-ito", "reason": "licence 4711"}


@pytest_asyncio.fixture
async def client(site: Site) -> AsyncIterator[AsyncMongoClient[dict[str, Any]]]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(site.environment["MONGODB_URL"])
    yield client
    await client.close()


async def is_empty(client: AsyncMongoClient[dict[str, Any]], site: Site) -> bool:
    return await client[site.settings.mongodb_database]["outbox"].find_one() is None


async def test_the_example_runs(site: Site) -> None:
    (site.folder / "licences.py").write_text(example("docs/outbox.md", "Example"))
    await site.worker()

    done = await site.run("licences", PYTHONPATH=os.pathsep.join((str(ROOT), str(site.folder))))

    assert (done.code, done.out, done.err) == (0, "amended\n", "")


async def test_committed_jobs_run_in_order_and_aborted_ones_never(
    site: Site, client: AsyncMongoClient[dict[str, Any]]
) -> None:
    await site.worker()
    await site.worker()
    async with HospitalOutbox.connect(site.settings) as outbox, client.start_session() as session:
        async with await session.start_transaction():
            registered = await outbox.register_hospital(session, MERCY, **BY)
        amended = []
        for beds in range(1, 11):
            async with await session.start_transaction():
                amended.append(await outbox.amend_hospital(session, "cms:1", HospitalChanges(beds=beds), **BY))
        await session.start_transaction()
        aborted = await outbox.withdraw_hospital(session, "cms:1", **BY)
        await session.abort_transaction()

        assert (await registered.outcome(timeout=30)).status == "registered"
        outcomes = [await receipt.outcome(timeout=30) for receipt in amended]
        with pytest.raises(TimeoutError, match="its transaction is not committed"):
            await aborted.outcome(timeout=0.5)
    assert [(outcome.status, outcome.revision) for outcome in outcomes] == [
        ("amended", revision) for revision in range(2, 12)
    ]
    await site.until(lambda: is_empty(client, site))
    async with site.producer() as producer:
        assert (await producer.status(registered.job_id)).state == "done"
        again = producer.receipt(REGISTER_HOSPITAL, registered.job_id)
        assert (await again.outcome(timeout=5)).status == "registered"
        with pytest.raises(JobNotFound):
            await producer.receipt(REGISTER_HOSPITAL, aborted.job_id).outcome(timeout=5)


async def test_a_worker_that_is_killed_is_replaced(site: Site, client: AsyncMongoClient[dict[str, Any]]) -> None:
    workers = {run.pid: run for run in (await site.worker(), await site.worker())}
    holder = await site.until(lambda: site.redis.get(keys.OUTBOX_RELAY))
    killed = next(run for pid, run in workers.items() if f":{pid}:" in holder.decode())
    killed.process.kill()
    await killed.ended()

    async with HospitalOutbox.connect(site.settings) as outbox, client.start_session() as session:
        async with await session.start_transaction():
            receipt = await outbox.register_hospital(session, MERCY, **BY)
        assert (await receipt.outcome(timeout=30)).status == "registered"
    assert await site.redis.get(keys.OUTBOX_RELAY) != holder


async def test_without_the_collections_of_this_version_a_service_may_come_first(
    site: Site, client: AsyncMongoClient[dict[str, Any]]
) -> None:
    async with HospitalOutbox.connect(site.settings) as outbox, client.start_session() as session:
        async with await session.start_transaction():
            receipt = await outbox.register_hospital(session, MERCY, **BY)

        await site.worker()
        assert (await receipt.outcome(timeout=30)).status == "registered"
