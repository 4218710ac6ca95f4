"""Redis killed, cut off, frozen, or refusing writes, under load.

"Accepted means durable" (P) holds for a Redis that is killed with `appendfsync always`, which every stand uses:
Redis replies after the write is on disk. With `everysec`, Redis may hold a write back in its own memory while an
earlier fsync is running, and replies anyway.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis
from redis.exceptions import ConnectionError as RedisConnectionError

from producers.client import HospitalProducer
from tests.acceptance.conftest import WorkerRun
from tests.faults.conftest import OpenStand
from tests.faults.injectors.fail_command import fail_command
from tests.faults.injectors.proxy import Action, Proxy
from tests.faults.injectors.redis_refusals import demoted, memory_full, saving_fails
from tests.faults.ledger import Account
from tests.faults.load import Load, record
from tests.faults.stand import Stand
from worker.codec import Codec
from worker.engine.arq_redis import open_arq_redis
from worker.errors import OutageError
from worker.queue import keys
from worker.queue.dead_letter_store import DeadLetterStore
from worker.queue.script_source import script_source
from worker.settings import Settings, load_settings

RESUMED_WITHIN_S = 3.0
NOT_READY_WITHIN_S = 5.0
REFUSED_WITHIN_S = 5.0
START_OF_CHECK_S = 1.0
CHECK = ("worker", "check", "--here")


def _slow(ms: int) -> dict[str, Any]:
    return {"blockConnection": True, "blockTimeMS": ms}


async def _outage(seconds: float) -> None:
    # This sleep is the injected outage; it does not wait for a condition.
    await asyncio.sleep(seconds)


async def _check_survival(stand: Stand, worker: WorkerRun, load: Load) -> Account:
    """Balance the ledger; the same worker process must be ready again, and no job may be a dead letter."""
    account = await stand.balance()
    await stand.until(lambda: stand.is_ready(worker), 5)
    assert (account.dead, set(load.states)) == (0, {"new"})
    return account


# ---- row 10 -------------------------------------------------------------------------------------------


async def _kill_redis_under_load(stand: Stand, down_s: float) -> Load:
    worker = await stand.worker()
    async with stand.load(per_second=40) as load:
        await stand.effects_grow_by(50)
        answered = len(stand.ledger.accepted) + 150
        # Redis must die while it sends many replies: each reply is a promise.
        burst = asyncio.create_task(load.put_many("ingest", 600))
        await stand.until(lambda: len(stand.ledger.accepted) >= answered)
        await stand.redis_server.kill()
        stand.row.faults += 1
        assert not burst.done()
        await _outage(down_s)
        await stand.redis_server.start()
        returned = datetime.now(UTC)
        await stand.effects_grow_by(100)
        await burst
    account = await _check_survival(stand, worker, load)
    resumed_after_s = account.resumed_after_s(returned)
    stand.row.notes["resumed after s"] = round(resumed_after_s, 2)
    assert resumed_after_s < RESUMED_WITHIN_S
    stand.pause_s(account, load.began, load.ended)
    return load


@pytest.mark.long
async def test_row_10_redis_killed_under_load(stand: Stand) -> None:
    load = await _kill_redis_under_load(stand, down_s=1.5)
    # Producers retry for longer than the outage, so no caller gets an error.
    assert load.refused == 0


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_row_10_redis_killed_under_load_for_60_s(stand: Stand) -> None:
    load = await _kill_redis_under_load(stand, down_s=60)
    assert load.refused > 0


# ---- row 11 -------------------------------------------------------------------------------------------


async def _cut_repeatedly(stand: Stand, seconds: float, least: int) -> None:
    worker = await stand.worker()
    async with stand.load(per_second=50) as load:
        await stand.effects_grow_by(50)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline or stand.row.faults < least:
            cut = await stand.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            stand.row.faults += int(cut)
            await asyncio.sleep(stand.rng.expovariate(10))
        await stand.effects_grow_by(50)
    account = await _check_survival(stand, worker, load)
    assert load.refused == 0
    stand.pause_s(account, load.began, load.ended)


@pytest.mark.long
async def test_row_11_connections_killed_at_random(stand: Stand) -> None:
    await _cut_repeatedly(stand, 3, least=50)
    assert stand.row.faults >= 50


@pytest.mark.long
async def test_row_11_connections_killed_at_random_for_20_s(stand: Stand) -> None:
    await _cut_repeatedly(stand, 20, least=400)
    assert stand.row.faults >= 400


# ---- row 12 -------------------------------------------------------------------------------------------

_ACTIONS: tuple[Action, ...] = ("cut_before", "cut_after")


def _script(name: str) -> bytes:
    """Return the script's SHA-1, which is on the wire when the script is called."""
    return sha1(script_source(name).encode()).hexdigest().encode()  # noqa: S324 (the name that Redis gives the script)


async def _load_scripts(stand: Stand) -> None:
    """Load the scripts, so that Redis knows each before its first call, and the cut hits that call."""
    for script in ("enqueue", "claim", "finish", "recover", "renew", "redrive"):
        await stand.redis.script_load(script_source(script))


def _through(proxy: Proxy) -> Settings:
    return load_settings(redis_url=f"redis://127.0.0.1:{proxy.port}/0", redis_timeout=2)


async def _cut(stand: Stand, proxy: Proxy, patterns: dict[bytes, Action], times: int = 1) -> None:
    """Cut each of these calls `times` times, and wait until all cuts have happened."""
    before = proxy.cuts
    for pattern, action in patterns.items():
        proxy.on(pattern, action, times=times)
    await stand.until(lambda: proxy.pending == 0)
    assert proxy.cuts >= before + times * len(patterns)
    stand.row.faults += times * len(patterns)


async def test_row_12_cut_before_and_after_each_script(open_stand: OpenStand) -> None:
    async with open_stand(WORKER_LEASE="4") as stand, AsyncExitStack() as stack:
        server = "127.0.0.1", stand.redis_server.port
        to_worker, to_producer = [await stack.enter_async_context(Proxy(*server)) for _ in range(2)]
        worker = await stand.worker(REDIS_URL=_through(to_worker).redis_url.get_secret_value())
        producer = await stack.enter_async_context(HospitalProducer.connect(_through(to_producer)))
        primary = await stand.mongo_server.primary()
        await _load_scripts(stand)
        load = Load(producer, stand.ledger, stand.rng, per_second=50)
        async with load:
            for number, action in enumerate(_ACTIONS):
                await _cut(stand, to_producer, {_script("enqueue"): action}, times=8)
                await _cut(stand, to_worker, {_script("claim"): action, _script("finish"): action}, times=3)
                # A separate call hands back jobs that were claimed without the worker's knowledge.
                await _cut(stand, to_worker, {_script("claim"): "cut_after", _script("recover"): action})
                # A lease is renewed only while a slow job runs.
                async with fail_command(primary, ["findAndModify"], mode={"times": 5}, **_slow(1_200)):
                    await _cut(stand, to_worker, {_script("renew"): action})
                # A producer reads the outcome of a job in a transaction.
                hospital = record(-number)
                receipt = await producer.ingest_hospital(hospital)
                stand.ledger.accept("ingest", receipt.job_id, hospital.hospital_id)
                outcome = asyncio.create_task(receipt.outcome(timeout=10))
                await _cut(stand, to_producer, {b"EXEC": action})
                assert (await outcome).status
        await _check_survival(stand, worker, load)
        assert load.refused == 0


@pytest.mark.parametrize("action", _ACTIONS)
async def test_row_12_cut_while_dead_letters_are_retried(stand: Stand, action: Action) -> None:
    worker = await stand.worker()
    await _load_scripts(stand)
    load = stand.load(amended=0)
    async with fail_command(await stand.mongo_server.primary(), ["findAndModify"], errorCode=14):
        await load.put_many("ingest", 20)
        await stand.until(lambda: stand.redis.hlen(keys.DEAD))
        await stand.ledger.settle(10)
    async with Proxy("127.0.0.1", stand.redis_server.port) as proxy:
        redis = open_arq_redis(_through(proxy), Codec())
        dead_letters = DeadLetterStore(redis)
        found = [dead_letter async for dead_letter in dead_letters.all()]
        assert len(found) == 20
        proxy.on(_script("redrive"), action)
        with pytest.raises(RedisConnectionError):
            await dead_letters.retry(found)
        stand.row.faults += proxy.cuts
        # An operator repeats the retry that failed.
        assert await dead_letters.retry(found) == (20 if action == "cut_before" else 0)
        await redis.aclose(close_connection_pool=True)
    await _check_survival(stand, worker, load)


# ---- row 13 -------------------------------------------------------------------------------------------


async def assert_survives_a_frozen_redis(open_stand: OpenStand, frozen_s: float) -> None:
    # The default timeout, which an operator would have.
    async with open_stand(REDIS_TIMEOUT="5") as stand:
        worker = await stand.worker()
        async with stand.load(per_second=30) as load:
            await stand.effects_grow_by(30)
            started = time.monotonic()
            assert (await stand.run(*CHECK)).code == 0
            # On a busy machine any program starts slowly, so allow for that time.
            late_s = max(0, time.monotonic() - started - START_OF_CHECK_S)
            stand.redis_server.freeze()
            frozen_at = time.monotonic()
            stand.row.faults += 1
            # The worker's heartbeat is in Redis, so the check cannot read it, and must say so soon.
            check = await stand.run(*CHECK)
            not_ready_s = time.monotonic() - frozen_at
            assert check.code != 0
            assert "Redis" in check.err
            stand.row.notes["not ready after s"] = round(not_ready_s, 2)
            assert not_ready_s < NOT_READY_WITHIN_S + late_s
            await _outage(max(0, frozen_s - not_ready_s))
            assert "action=redis_lost" in worker.log
            stand.redis_server.thaw()
            returned = datetime.now(UTC)
            await stand.effects_grow_by(50)
        account = await _check_survival(stand, worker, load)
        stand.pause_s(account, load.began, load.ended)
        assert account.resumed_after_s(returned) < RESUMED_WITHIN_S


@pytest.mark.long
async def test_row_13_redis_frozen(open_stand: OpenStand) -> None:
    await assert_survives_a_frozen_redis(open_stand, 6.5)


@pytest.mark.long
async def test_row_13_redis_frozen_for_60_s(open_stand: OpenStand) -> None:
    await assert_survives_a_frozen_redis(open_stand, 60)


# ---- row 14 -------------------------------------------------------------------------------------------

Refusing = Callable[[ArqRedis, Path], AbstractAsyncContextManager[None]]
REFUSALS: dict[str, Refusing] = {
    "READONLY": lambda redis, _: demoted(redis),
    "OOM": lambda redis, _: memory_full(redis),
    "MISCONF": saving_fails,
}


@pytest.mark.parametrize(
    "code", ["READONLY", *(pytest.param(code, marks=pytest.mark.long) for code in ("OOM", "MISCONF"))]
)
async def test_row_14_redis_refuses_writes(stand: Stand, code: str) -> None:
    worker = await stand.worker()
    load = stand.load(amended=0)
    folder = Path((await stand.redis.config_get("dir"))["dir"])
    running = 20

    async def took_effect() -> bool:
        return await stand.ledger.effects() == running

    primary = await stand.mongo_server.primary()
    async with fail_command(primary, ["findAndModify"], mode={"times": running}, **_slow(3_000)):
        await load.put_many("ingest", running)
        await stand.until(lambda: _has_leases(stand, running))
        assert await stand.ledger.effects() == 0
        async with REFUSALS[code](stand.redis, folder):
            began = time.monotonic()
            stand.row.faults += 1
            with pytest.raises(OutageError, match=code):
                await stand.producer_client.ingest_hospital(record(0))
            assert time.monotonic() - began < REFUSED_WITHIN_S
            await stand.until(lambda: _is_unready(stand, worker), NOT_READY_WITHIN_S)
            stand.row.notes["not ready after s"] = round(time.monotonic() - began, 2)
            assert (await stand.run(*CHECK)).code != 0
            assert f"code={code}" in worker.log
            # The running jobs took effect. A full Redis takes their completions all the same, because each frees
            # more than it needs; otherwise they cannot be stored yet.
            await stand.until(took_effect)
            if code == "OOM":
                await stand.until(lambda: _has_leases(stand, 0))
            else:
                assert await stand.leases() == running
    await stand.until(lambda: stand.is_ready(worker), NOT_READY_WITHIN_S)
    await _check_survival(stand, worker, load)
    results = [await stand.result(job_id) for job_id in stand.ledger.accepted]
    assert [(result["s"], result["t"]) for result in results] == [(True, 1)] * running


async def _has_leases(stand: Stand, count: int) -> bool:
    return await stand.leases() == count


async def _is_unready(stand: Stand, worker: WorkerRun) -> bool:
    return not await stand.is_ready(worker)
