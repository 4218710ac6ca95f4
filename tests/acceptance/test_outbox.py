"""Jobs of committed transactions, from a service's own code to their outcomes: real processes and servers."""

import json
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pymongo import AsyncMongoClient

from producers.outbox import HospitalOutbox
from tests.acceptance.conftest import Site
from tests.acceptance.test_client_examples import ROOT, example
from tests.support.foreign_documents import document, with_date_beyond
from worker.contract import REGISTER_HOSPITAL, HospitalChanges, HospitalRecord
from worker.errors import JobNotFound
from worker.mongo.client import MongoHandle
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


async def test_what_cannot_be_enqueued_is_shown_and_holds_up_no_other_hospital(
    site: Site, client: AsyncMongoClient[dict[str, Any]], registry: MongoHandle
) -> None:
    """Two hospitals have jobs of a later version, and another program has written past the validator."""
    jobs = client[site.settings.mongodb_database]["outbox"]
    newer = [document(f"newer{number}", job=f"close_hospital:outbox:{number}") for number in range(2)]
    foreign: list[Any] = [document("foreign", envelope=...), with_date_beyond(hospital_id="beyond")]
    await jobs.insert_many([*newer, *foreign], bypass_document_validation=True)

    async with HospitalOutbox.connect(site.settings) as outbox, client.start_session() as session:
        async with await session.start_transaction():
            receipt = await outbox.register_hospital(session, MERCY, **BY)
        # Started afterwards, so that the number of jobs in the outbox can only fall.
        worker = await site.worker()
        assert (await receipt.outcome(timeout=30)).status == "registered"

    async def shown() -> dict[str, Any] | None:
        found: dict[str, Any] = json.loads((await site.command("queue", "--json")).out)
        return found if found["outbox"] and found["outbox"]["jobs"] == 2 and found["outbox"]["skipped"] else None

    found = (await site.until(shown))["outbox"]
    assert (found["jobs"], found["skipped"], found["unreadable"]) == (2, 2, 2)
    assert found["oldest_due_age_s"] > 0
    checked = json.loads((await site.command("check", "--json")).out)["outbox"]
    assert {**checked, "oldest_due_age_s": 0} == {**found, "oldest_due_age_s": 0}
    for command in ("queue", "check"):
        done = await site.command(command)
        assert done.code == 0
        assert "jobs in the outbox: 2, the oldest due for " in done.out
        assert "jobs in the outbox that cannot be enqueued: 2, and" in done.out
        assert "documents in the outbox that are not jobs: 2 " in done.out
    assert "action=outbox_documents_unreadable count=2" in worker.log
    assert worker.log.count("action=outbox_job_skipped") == 2


async def test_without_the_collections_of_this_version_a_service_may_come_first(
    site: Site, client: AsyncMongoClient[dict[str, Any]]
) -> None:
    async with HospitalOutbox.connect(site.settings) as outbox, client.start_session() as session:
        async with await session.start_transaction():
            receipt = await outbox.register_hospital(session, MERCY, **BY)

        await site.worker()
        assert (await receipt.outcome(timeout=30)).status == "registered"
