"""Jobs whose completion is lost, and jobs that are delivered repeatedly."""

import hashlib
from typing import Any

import pytest

from tests.faults.conftest import OpenStand
from tests.faults.injectors.processes import sigkill
from tests.faults.injectors.proxy import Proxy
from tests.faults.stand import Stand
from worker.codec import Codec
from worker.contract import DEFAULT_QUEUE
from worker.mongo.audit.log import log_id
from worker.queue import keys
from worker.queue.script_source import script_source

DELIVERIES = 20
JOBS_PER_KIND = 5


async def test_row_02_killed_between_the_commit_and_its_completion(open_stand: OpenStand) -> None:
    # Redis calls a script by the hash of its source.
    finish = hashlib.sha1(script_source("finish").encode(), usedforsecurity=False).hexdigest()
    async with (
        open_stand(WORKER_LEASE="2", REDIS_TIMEOUT="1") as stand,
        Proxy("127.0.0.1", stand.redis_server.port) as proxy,
    ):
        load = stand.load(amended=3)
        worker = await stand.worker(REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0")
        await load.prepare()
        prepared = set(stand.ledger.accepted)

        async def all_committed() -> bool:
            return await stand.ledger.effects() == effects

        async def die() -> None:
            await stand.until(all_committed)
            if worker.process.returncode is None:
                await sigkill(worker)
            raise ConnectionResetError("died while it was sending")

        # Many times, because each group of completions goes out on its own connection.
        proxy.on(finish.encode(), die, times=100)
        effects = await stand.ledger.effects() + 10 * 2 + 10 + 10
        await load.put_many("register", 10)
        await load.put_many("amend", 10)
        await load.put_many("ingest", 10)
        await stand.until(lambda: worker.process.returncode is not None)
        stand.row.faults += 1
        jobs = stand.ledger.accepted.keys() - prepared
        assert await stand.redis.exists(*(keys.RESULT + job_id for job_id in jobs)) == 0
        assert await stand.leases() == len(jobs)

        await stand.worker()
        account = await stand.balance()
        assert (account.applied, account.dead) == (33, 0)
        for job_id in jobs:
            outcome = (await stand.result(job_id, 1))["r"]
            assert outcome["status"] in {"registered", "amended", "created"}
            assert outcome.get("log_id") in {None, log_id(job_id)}


@pytest.mark.long
async def test_row_25_delivered_20_times(stand: Stand) -> None:
    load = stand.load(amended=JOBS_PER_KIND)
    for _ in range(2):
        await stand.worker()
    await load.prepare()
    prepared = set(stand.ledger.accepted)

    async def all_running() -> bool:
        return await stand.leases() == len(jobs)

    # MongoDB is frozen, so claimed jobs make no progress.
    stand.mongo_server.freeze()
    try:
        for kind in ("ingest", "register", "amend"):
            await load.put_many(kind, JOBS_PER_KIND)
        jobs = sorted(stand.ledger.accepted.keys() - prepared)
        await stand.until(all_running)
        envelopes = {job_id: await stand.redis.get(keys.JOB + job_id) for job_id in jobs}
        for _ in range(DELIVERIES):
            await _deliver(stand, jobs)
            # A used try would be counted here, and a second claim would count as a crash.
            assert not await stand.redis.exists(*(keys.TRIES + job_id for job_id in jobs))
            assert not await stand.redis.hlen(keys.CRASHES)
    finally:
        stand.mongo_server.thaw()
    await stand.ledger.settle(20)
    results = {job_id: await stand.redis.get(keys.RESULT + job_id) for job_id in jobs}

    for _ in range(DELIVERIES):
        await _deliver(stand, jobs)
        await stand.ledger.settle(20)
    # No job ran again: otherwise its result would contain the later time.
    assert {job_id: await stand.redis.get(keys.RESULT + job_id) for job_id in jobs} == results

    for delivery in range(DELIVERIES):
        for job_id, envelope in envelopes.items():
            await stand.redis.set(keys.JOB + job_id, envelope)
            if delivery % 2:
                await stand.redis.delete(keys.RESULT + job_id)
        await _deliver(stand, jobs)
        await stand.ledger.settle(20)
        for job_id in jobs:
            again = await stand.redis.get(keys.RESULT + job_id)
            assert again != results[job_id]
            assert _outcome(again) == _outcome(results[job_id])
    account = await stand.balance()
    assert (account.applied, account.dead) == (len(stand.ledger.accepted), 0)


async def _deliver(stand: Stand, jobs: list[str]) -> None:
    """Put ids on the queue as due, and wait until a worker has claimed those that it can claim."""
    seen = await stand.redis.hget(keys.CLOCK, "seen")
    await stand.redis.zadd(DEFAULT_QUEUE, dict.fromkeys(jobs, 1))
    await stand.redis.lpush(DEFAULT_QUEUE + keys.WAKEUP_SUFFIX, 1)
    stand.row.faults += len(jobs)

    async def claimed() -> bool:
        return bool(await stand.redis.hget(keys.CLOCK, "seen") != seen)

    await stand.until(claimed)


def _outcome(result: bytes) -> dict[str, Any]:
    message = Codec().decode(result)
    assert message["s"]
    # The token belongs to the latest write that the worker knows of, so it may differ.
    return {name: value for name, value in message["r"].items() if name != "token"}
