"""The history of ended jobs while workers, Redis and MongoDB are killed: each end that the ledger has, once."""

import asyncio
from collections import Counter

import pytest

from tests.acceptance.conftest import WorkerRun
from tests.faults.conftest import OpenStand
from tests.faults.injectors.processes import sigkill
from tests.faults.stand import Stand
from worker.contract.job_ends import EndFilter, PastEnd
from worker.embedded import EmbeddedMongo, EmbeddedRedis
from worker.mongo.client import open_mongo
from worker.monitoring.history import search_history
from worker.queue import keys

WORKERS = 2
MOST_ENDS = 100_000
SHORT_LEASE = {"WORKER_LEASE": "2", "REDIS_TIMEOUT": "1", "MONGODB_SELECTION_TIMEOUT": "1"}


async def _all_ends(stand: Stand) -> list[PastEnd]:
    mongo = open_mongo(stand.settings)
    try:
        page = await search_history(stand.redis, mongo, EndFilter(), limit=MOST_ENDS)
    finally:
        await mongo.close()
    assert not page.more
    return page.found


async def _is_moved(stand: Stand) -> bool:
    return not await stand.redis.xlen(keys.ENDED)


async def _none_has_lost_its_owner(stand: Stand) -> bool:
    return not await stand.redis.hlen(keys.CRASHES)


async def _kill_at_random(stand: Stand, rounds: int) -> None:
    """Kill and restart, in each round, a worker, and in turn Redis, MongoDB, both or neither."""
    workers: list[WorkerRun] = [await stand.worker() for _ in range(WORKERS)]
    async with stand.load(per_second=100):
        for number in range(rounds):
            await stand.effects_grow_by(stand.rng.randrange(10, 60))
            # A job that loses three leases is dead-lettered, even if it has had its effect.
            await stand.until(lambda: _none_has_lost_its_owner(stand), 60)
            victim = workers.pop(stand.rng.randrange(len(workers)))
            servers: list[tuple[EmbeddedRedis | EmbeddedMongo, ...]] = [
                (),
                (stand.redis_server,),
                (stand.mongo_server,),
                (stand.redis_server, stand.mongo_server),
            ]
            killed = servers[number % len(servers)]
            await asyncio.gather(sigkill(victim), *(server.kill() for server in killed))
            stand.row.faults += 1 + len(killed)
            await asyncio.gather(*(server.start() for server in killed))
            workers.append(await stand.worker())


async def _check_history(stand: Stand) -> int:
    """Compare the history with the ledger; returns how many ends it has."""
    account = await stand.balance()
    await stand.until(lambda: _is_moved(stand), 30)
    ends = [past.end for past in await _all_ends(stand)]
    dead_letters = {job_id.decode() for job_id in await stand.redis.hkeys(keys.DEAD)}
    counted = Counter(end.job_id for end in ends)
    missing = [job_id for job_id in stand.ledger.accepted if job_id not in counted]
    twice = [job_id for job_id, count in counted.items() if count > 1]
    assert (missing, twice) == ([], []), f"{len(missing)} missing, {len(twice)} twice of {account.accepted}"
    outcomes = {end.job_id: end.outcome for end in ends}
    hospitals = {end.job_id: end.hospital_id for end in ends}
    assert {job_id for job_id, outcome in outcomes.items() if outcome == "dead"} == dead_letters
    assert set(outcomes.values()) <= {"complete", "dead"}
    applied = [job for job in stand.ledger.accepted.values() if outcomes[job.job_id] == "complete"]
    assert [job.job_id for job in applied if hospitals[job.job_id] != job.hospital_id] == []
    return len(ends)


async def test_row_54_every_ended_job_is_in_the_history_once(open_stand: OpenStand) -> None:
    async with open_stand(**SHORT_LEASE) as stand:
        await _kill_at_random(stand, rounds=4)
        assert await _check_history(stand) >= len(stand.ledger.accepted)


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_row_54_many_kills_and_every_ended_job_is_in_the_history_once(open_stand: OpenStand) -> None:
    async with open_stand(members=3, **SHORT_LEASE) as stand:
        await _kill_at_random(stand, rounds=10)
        assert await _check_history(stand) >= len(stand.ledger.accepted)
