"""Backups of both stores, taken under load and restored on new servers: Redis first, then MongoDB, loses nothing.

A job is accepted in Redis, takes effect in MongoDB, and is completed in Redis. If the backup of Redis is older than
that of MongoDB, some jobs run again, which are idempotent. If it is newer, it marks jobs as done whose effects are
missing from MongoDB.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.faults.ledger import Account, Ledger
from tests.faults.rows import Row
from tests.faults.stand import Stand
from tests.support.waiting import until
from worker.contract import DEFAULT_QUEUE
from worker.embedded import EmbeddedMongo, EmbeddedRedis
from worker.embedded.binaries import find_redis_server
from worker.embedded.ports import LOOPBACK, choose_port

SNAPSHOT = "dump.rdb"


@dataclass(frozen=True)
class Backups:
    """Copies in the order in which they were made, and the jobs that were accepted before the copy of Redis."""

    mongo_before: Path
    redis: Path
    mongo_after: Path
    promised: frozenset[str]


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Not the test's `tmp_path`, which is scanned for payloads: these files contain payloads.
    return tmp_path_factory.mktemp("backups")


async def test_redis_first_then_mongodb_loses_nothing(tmp_path: Path, folder: Path) -> None:
    async with (
        EmbeddedRedis() as redis,
        EmbeddedMongo(data_dir=folder / "live") as mongo,
        # Few concurrent jobs, so that many wait when the backup is made. Short leases, as the owners will be dead.
        Stand(redis, mongo, tmp_path, Row(0, "backup", 1), WORKER_MAX_JOBS="20", WORKER_LEASE="4") as stand,
    ):
        backups = await _backed_up_under_load(stand, folder)

    account, repeated = await _restored(stand, backups, backups.mongo_after)
    assert account.clean, str(account)
    assert account.applied == len(backups.promised)
    assert repeated > 0

    # In the other order, jobs that are done in Redis have no effect in the older MongoDB.
    account, _ = await _restored(stand, backups, backups.mongo_before)
    assert account.lost
    assert (account.doubled, account.broken, account.unexpected) == ([], [], [])


async def _backed_up_under_load(stand: Stand, folder: Path) -> Backups:
    worker = await stand.worker()
    async with stand.load(per_second=50) as load:
        await stand.effects_grow_by(20)
        mongo_before = await _copy_of_mongo(stand, folder / "mongo-before")
        await stand.effects_grow_by(50)
        burst = asyncio.create_task(load.put_many("ingest", 500))
        await stand.until(lambda: _waiting(stand, 50))
        promised = frozenset(stand.ledger.accepted)
        redis = await _copy_of_redis(stand, folder / SNAPSHOT)
        await burst
        await stand.effects_grow_by(150)
        mongo_after = await _copy_of_mongo(stand, folder / "mongo-after")
        # The load continues after the backup; later jobs are not in it.
        await stand.effects_grow_by(50)
    worker.process.kill()
    await worker.ended()
    return Backups(mongo_before, redis, mongo_after, promised)


async def _waiting(stand: Stand, count: int) -> bool:
    return int(await stand.redis.zcard(DEFAULT_QUEUE)) >= count


async def _copy_of_redis(stand: Stand, target: Path) -> Path:
    """Run BGSAVE and copy the file, which has the state at the moment of the call."""
    await stand.redis.bgsave()

    async def saved() -> bool:
        state = await stand.redis.info("persistence")
        assert state["rdb_last_bgsave_status"] == "ok"
        return not state["rdb_bgsave_in_progress"]

    await until(saved, 30)
    shutil.copyfile(Path((await stand.redis.config_get("dir"))["dir"]) / SNAPSHOT, target)
    return target


async def _copy_of_mongo(stand: Stand, target: Path) -> Path:
    """Copy the data folder while fsyncLock blocks writes."""
    member = await stand.mongo_server.primary()
    await member.command("fsync", lock=True)
    try:
        # Lock files, and empty files that are prepared for the journal.
        left_out = shutil.ignore_patterns("lock", "mongod.lock", "WiredTigerPreplog.*")
        await asyncio.to_thread(shutil.copytree, target.parent / "live", target, symlinks=True, ignore=left_out)
    finally:
        await member.command("fsyncUnlock")
    return target


async def _restored(stand: Stand, backups: Backups, folder: Path) -> tuple[Account, int]:
    """Start new servers on the copies, and a worker; return the promised jobs' account, and how many ran again.

    `folder` is a copy of MongoDB's data folder.
    """
    await _append_only_file(backups.redis, folder / "redis")
    async with (
        EmbeddedRedis(data_dir=folder) as redis_server,
        EmbeddedMongo(data_dir=folder) as mongo_server,
        Redis.from_url(redis_server.url) as redis,
        _client(mongo_server.url) as client,
    ):
        database = client[stand.settings.mongodb_database]
        ledger = Ledger(redis, database)
        for job in stand.ledger.accepted.values():
            if job.job_id in backups.promised:
                ledger.accept(job.kind, job.job_id, job.hospital_id)
            else:
                # Accepted after the backup of Redis, so it may or may not be in the backup of MongoDB.
                ledger.uncertain(job.hospital_id)
        queued = [job_id.decode() for job_id in await redis.zrange(DEFAULT_QUEUE, 0, -1)]
        repeated = await database["hospitals"].count_documents({"created_by_job": {"$in": queued}})
        worker = await stand.start(REDIS_URL=redis_server.url, MONGODB_URL=mongo_server.url)
        try:
            await ledger.settle(60)
        finally:
            worker.process.kill()
            await worker.ended()
        return await ledger.account(), repeated


def _client(url: str) -> AsyncMongoClient[dict[str, Any]]:
    return AsyncMongoClient(url, tz_aware=True)


async def _append_only_file(snapshot: Path, folder: Path) -> None:
    """Create an append-only file from a snapshot: with `appendonly yes` and no such file, Redis starts empty."""
    folder.mkdir(parents=True)
    shutil.copyfile(snapshot, folder / SNAPSHOT)
    async with _without_append_only_file(folder) as redis:
        await redis.config_set("appendonly", "yes")

        async def rewritten() -> bool:
            state = await redis.info("persistence")
            assert state["aof_last_bgrewrite_status"] == "ok"
            return bool(state["aof_enabled"]) and not (
                state["aof_rewrite_in_progress"] or state["aof_rewrite_scheduled"]
            )

        await until(rewritten, 30)


@asynccontextmanager
async def _without_append_only_file(folder: Path) -> "AsyncIterator[Redis[bytes]]":
    port = choose_port()
    server = await asyncio.create_subprocess_exec(
        *(str(find_redis_server(os.environ)), "--port", str(port), "--bind", LOOPBACK),
        *("--dir", str(folder), "--save", "", "--appendonly", "no", "--logfile", "server.log"),
    )
    try:
        async with Redis.from_url(f"redis://{LOOPBACK}:{port}/0") as redis:

            async def answers() -> bool:
                try:
                    return bool(await redis.ping())
                except RedisConnectionError:
                    return False

            await until(answers, 30)
            yield redis
    finally:
        server.terminate()
        await server.wait()
