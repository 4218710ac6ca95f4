"""Jobs of one function that MongoDB refuses or fails, beside jobs of another that it serves."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from tests.acceptance.conftest import Site, WorkerRun
from tests.faults.faulty_jobs import FAULTY, put_faulty
from tests.faults.injectors.fail_command import Injected, fail_command
from tests.faults.ledger import Ledger
from tests.faults.load import Load, record
from tests.faults.rows import Row
from tests.faults.stand import Stand, logged_jobs
from tests.security.guarded_mongo import GuardedMongo, granted_actions, guarded_mongo
from worker.contract import DEFAULT_QUEUE, INGEST_HOSPITAL, REGISTER_HOSPITAL, IngestHospital, RegisterHospital
from worker.embedded import EmbeddedRedis
from worker.mongo.client import open_mongo
from worker.mongo.schema import ensure_schema
from worker.queue import keys
from worker.settings import load_settings

UNAUTHORIZED, OUT_OF_DISK_SPACE = 13, 14031
OPENED = "action=circuit_breaker_opened function=register_hospital"
HOPELESS, HEALTHY = 60, 500
MANY_HOPELESS, HOPELESS_OF_EACH = 10_000, 1_000
# Five hundred ingests take half a second alone, and took a minute beside sixty hopeless registrations.
INGESTED_WITHIN_S = 8.0
RESUMED_WITHIN_S = 5.0
ROUNDS, MOST_ROUNDS, RATIO = 5, 20, 0.9


def _log_refuses(stand: Stand, code: int) -> AbstractAsyncContextManager[Injected]:
    """Make MongoDB refuse new entries of the audit log."""
    (member,) = stand.mongo_server.members
    namespace = f"{stand.settings.mongodb_database}.logs"
    return fail_command(member, ["insert"], errorCode=code, namespace=namespace)


async def _ingest_s(stand: Stand, numbers: Sequence[int]) -> float:
    """Ingest one hospital for each number; return the seconds from the first call until all are stored."""
    wanted = await stand.ledger.effects() + len(numbers)
    began = time.monotonic()
    await _enqueue_ingests(stand, numbers)

    async def stored() -> bool:
        return await stand.ledger.effects() >= wanted

    await stand.until(stored, 120)
    return time.monotonic() - began


async def _enqueue_ingests(stand: Stand, numbers: Sequence[int]) -> None:
    payloads = [IngestHospital(record=record(number)) for number in numbers]
    receipts = await stand.producer_client.enqueue_many(INGEST_HOSPITAL, payloads)
    for number, receipt in zip(numbers, receipts, strict=True):
        stand.ledger.accept("ingest", receipt.job_id, f"faults:h{number}")


async def _register(stand: Stand, numbers: Sequence[int]) -> None:
    payloads = [RegisterHospital(record=record(number), actor="faults", reason="the suite") for number in numbers]
    receipts = await stand.producer_client.enqueue_many(REGISTER_HOSPITAL, payloads)
    for number, receipt in zip(numbers, receipts, strict=True):
        stand.ledger.accept("register", receipt.job_id, f"faults:h{number}")


# Atomic, because a job that a worker has claimed meanwhile must stay.
_TAKE_WAITING = """
local taken = {}
local found = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #found, 2 do
    if not redis.call('ZSCORE', KEYS[2], found[i]) then
        redis.call('ZREM', KEYS[1], found[i])
        table.insert(taken, found[i])
        table.insert(taken, found[i + 1])
    end
end
return taken
"""


async def _put_first(stand: Stand) -> None:
    """Make the waiting jobs due before all others, as if they had waited longest."""
    taken = await stand.redis.eval(_TAKE_WAITING, 2, DEFAULT_QUEUE, DEFAULT_QUEUE + keys.LEASED_SUFFIX)
    await stand.redis.zadd(DEFAULT_QUEUE, dict.fromkeys(taken[::2], 1))


@asynccontextmanager
async def _without_waiting_jobs(stand: Stand) -> AsyncIterator[None]:
    """Take the waiting jobs out of the queue for the duration of the block."""
    taken = await stand.redis.eval(_TAKE_WAITING, 2, DEFAULT_QUEUE, DEFAULT_QUEUE + keys.LEASED_SUFFIX)
    try:
        yield
    finally:
        await stand.redis.zadd(DEFAULT_QUEUE, dict(zip(taken[::2], map(float, taken[1::2]), strict=True)))


async def _shows_waiting_function(stand: Stand, command: str) -> bool:
    shown = await stand.command(command)
    return shown.code == 0 and "jobs of a function wait: register_hospital: MongoDB" in shown.out


@pytest.mark.long
@pytest.mark.parametrize("code", [UNAUTHORIZED, OUT_OF_DISK_SPACE], ids=["refused", "outage"])
async def test_row_39_hopeless_registrations_ahead_of_ingests(stand: Stand, code: int) -> None:
    worker = await stand.worker()
    async with _log_refuses(stand, code) as injected:
        await _register(stand, range(HOPELESS))
        await stand.until(lambda: "action=circuit_breaker_opened" in worker.log)
        await stand.until(lambda: len(logged_jobs(worker.log, "job_retried")) == HOPELESS)
        await _put_first(stand)
        ingested_s = await _ingest_s(stand, range(HOPELESS, HOPELESS + HEALTHY))
        assert ingested_s < INGESTED_WITHIN_S
        assert OPENED in worker.log
        # The first ingest that succeeds shows that MongoDB works.
        await stand.until(lambda: stand.is_ready(worker))
        # Ready, and yet the operator sees what does not run.
        for command in ("check", "queue"):
            await stand.until(partial(_shows_waiting_function, stand, command))
    stand.row.faults = injected.times
    stand.row.notes["ingested after s"] = round(ingested_s, 2)
    account = await stand.balance(90)
    assert account.dead == 0
    await stand.until(lambda: "action=circuit_breaker_closed function=register_hospital" in worker.log)


async def test_row_39_refused_registrations_end_as_dead_letters(stand: Stand) -> None:
    worker = await stand.worker(WORKER_MAX_TRIES="1")
    async with _log_refuses(stand, UNAUTHORIZED) as injected:
        await _register(stand, range(8))
        await _ingest_s(stand, range(8, 108))
        account = await stand.balance()
    stand.row.faults = injected.times
    assert (account.dead, account.applied) == (8, 100)
    assert logged_jobs(worker.log, "job_dead_lettered") == {
        job.job_id for job in stand.ledger.accepted.values() if job.kind == "register"
    }
    for job_id in logged_jobs(worker.log, "job_dead_lettered"):
        dead_letter = await stand.dead_letters.get(job_id)
        assert dead_letter.failure.type == "OperationRefused"
        assert "Unauthorized (13); check the user and password in MONGODB_URL, and the roles" in dead_letter.reason


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_row_39_ingests_beside_ten_thousand_refused_registrations(stand: Stand) -> None:
    worker = await stand.worker()
    numbers = iter(range(10**9))
    alone: list[float] = []
    beside: list[float] = []

    async def round_s() -> float:
        return await _ingest_s(stand, [next(numbers) for _ in range(HEALTHY)])

    def ratio() -> float:
        return median(alone) / median(beside)

    # Pools and caches fill.
    await round_s()
    async with _log_refuses(stand, UNAUTHORIZED) as injected:
        await _register(stand, [next(numbers) for _ in range(MANY_HOPELESS)])
        ahead_s = await round_s()
        # Rounds alternate, because the machine's speed changes.
        while len(alone) < ROUNDS or (ratio() < RATIO and len(alone) < MOST_ROUNDS):
            async with _without_waiting_jobs(stand):
                alone.append(await round_s())
            beside.append(await round_s())
        await stand.until(lambda: stand.is_ready(worker))
    stand.row.faults = injected.times
    stand.row.notes |= {"ratio": round(ratio(), 2), "behind all of them s": round(ahead_s, 2)}
    account = await stand.balance(300)
    assert account.dead == 0
    assert ratio() >= RATIO
    assert ahead_s < INGESTED_WITHIN_S


@pytest.mark.long
async def test_row_39_two_functions_that_meet_an_outage_ahead_of_one_that_does_not(stand: Stand) -> None:
    worker = await stand.worker(FAULTY)
    async with _log_refuses(stand, OUT_OF_DISK_SPACE) as injected:
        await _register(stand, range(HOPELESS_OF_EACH))
        # Another function that registers.
        await put_faulty(stand, "slow", 0, count=HOPELESS_OF_EACH)
        await stand.until(lambda: OPENED in worker.log)
        await stand.until(lambda: "action=circuit_breaker_opened function=slow" in worker.log)
        await _put_first(stand)
        ingested_s = await _ingest_s(stand, range(HOPELESS_OF_EACH, HOPELESS_OF_EACH + HEALTHY))
        assert ingested_s < INGESTED_WITHIN_S
        await stand.until(lambda: stand.is_ready(worker))
    stand.row.faults = injected.times
    stand.row.notes["ingested after s"] = round(ingested_s, 2)
    account = await stand.balance(90)
    assert account.dead == 0


@pytest.mark.long
async def test_row_39_an_outage_met_by_the_only_function_in_use(stand: Stand) -> None:
    """Nobody can know whether other functions would meet it; to look for their jobs must cost nothing."""
    worker = await stand.worker(MONGODB_SELECTION_TIMEOUT="1")
    (member,) = stand.mongo_server.members
    await _ingest_s(stand, range(HEALTHY))
    await member.kill()
    stand.row.faults += 1
    await _enqueue_ingests(stand, range(HEALTHY, 7 * HEALTHY))
    await stand.until(lambda: "action=circuit_breaker_opened function=ingest_hospital" in worker.log)
    await stand.until(lambda: _is_unready(stand, worker))
    await member.start()
    returned = datetime.now(UTC)
    account = await stand.balance()
    stand.row.notes |= {
        "resumed after s": round(account.resumed_after_s(returned), 2),
        "all done after s": round((max(account.written_at) - returned).total_seconds(), 2),
    }
    assert account.dead == 0
    assert await stand.ledger.tries() == {1: account.accepted}
    assert account.resumed_after_s(returned) < RESUMED_WITHIN_S
    await stand.until(lambda: stand.is_ready(worker))


async def _is_unready(stand: Stand, worker: WorkerRun) -> bool:
    return not await stand.is_ready(worker)


class GuardedSite(Site):
    """A site whose MongoDB requires a login, with the role of docs/security.md on the site's own database."""

    def __init__(self, redis: EmbeddedRedis, mongo: GuardedMongo, folder: Path) -> None:
        super().__init__(redis, mongo, folder)
        self._root_url = mongo.root_url

    async def grant(self, actions: Mapping[str, Sequence[str]]) -> None:
        """Make sure of the schema, and let the worker's role have exactly these actions on each collection."""
        database = self.settings.mongodb_database
        privileges = [
            {"resource": {"db": database, "collection": collection}, "actions": list(allowed)}
            for collection, allowed in actions.items()
        ]
        root = open_mongo(load_settings(mongodb_url=self._root_url, mongodb_database=database))
        try:
            await ensure_schema(root)
            await root.client.admin.command("updateRole", "worker", privileges=privileges)
        finally:
            await root.close()


@asynccontextmanager
async def _guarded_site(folder: Path, database: Path) -> AsyncIterator[GuardedSite]:
    async with guarded_mongo(database) as server, EmbeddedRedis(appendfsync="always") as redis:
        site = GuardedSite(redis, server, folder)
        try:
            await site.grant(granted_actions())
            yield site
        finally:
            await site.close()


async def _registers_again(site: GuardedSite, worker: WorkerRun, ledger: Ledger) -> None:
    await site.grant(granted_actions())
    await ledger.settle(60)
    assert "action=job_dead_lettered" not in worker.log
    await site.until(lambda: "action=circuit_breaker_closed function=register_hospital" in worker.log)


@pytest.mark.long
async def test_row_39_a_role_that_loses_the_right_to_write_the_log(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, row: Row
) -> None:
    # Not in `tmp_path`, whose logs are searched for payloads and passwords.
    async with _guarded_site(tmp_path, tmp_path_factory.mktemp("guarded")) as site:
        url = site.environment["MONGODB_URL"]
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(url, tz_aware=True)
        async with client, site.producer() as producer:
            ledger = Ledger(site.redis, client[site.settings.mongodb_database])
            load = Load(producer, ledger, random.Random(row.seed))
            worker = await site.worker()
            await load.put_many("register", 5)
            await ledger.settle(30)
            await site.grant(dict(granted_actions()) | {"logs": ["find", "listIndexes"]})
            row.faults += 1
            await asyncio.gather(load.put_many("register", 20), load.put_many("ingest", 100))
            await site.until(lambda: OPENED in worker.log)
            await site.until(lambda: site.is_ready(worker))
            # Logged once the completion is stored.
            refused = "MongoDB refused a command: Unauthorized (13); check the user"
            await site.until(lambda: refused in worker.log)
            await _registers_again(site, worker, ledger)
            account = await ledger.account()
    row.note_account(account)
    assert account.clean, str(account)
    assert (account.applied, account.dead) == (125, 0)
