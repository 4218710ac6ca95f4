"""A worker outlives Redis's faults, keeps what it has in hand, and says the truth about itself."""

import asyncio
import re
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import Signals
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.worker import func
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.integration.engine.conftest import Bench
from worker.embedded import EmbeddedRedis
from worker.queue import keys
from worker.queue.heartbeats import ready_workers
from worker.queue.scripts import Claim, Claimed, Scripts

BACK_WITHIN = 3.0  # seconds from Redis's return until work goes on
NOT_READY_WITHIN = 5.0  # seconds; a heartbeat counts for 4


class Work:
    """Jobs that wait for a gate and count their runs."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.runs: Counter[str] = Counter()
        self.tries: list[int] = []

    @property
    def function(self) -> Any:
        async def work(ctx: dict[str, Any]) -> str:
            self.runs[ctx["job_id"]] += 1
            self.tries.append(ctx["job_try"])
            await self.gate.wait()
            return "worked"

        return func(work, name="work")


async def test_redis_dies_and_comes_back_while_jobs_run(own_redis: EmbeddedRedis, own_bench: Bench) -> None:
    bench, work = own_bench, Work()
    jobs = [await bench.put("work") for _ in range(50)]
    async with bench.serving(work.function, max_jobs=60) as worker:
        await bench.until(lambda: len(work.runs) == 50)
        await own_redis.kill()
        await bench.until(lambda: not worker.redis_health.is_up)
        work.gate.set()
        await bench.until(lambda: worker.jobs_complete == 0 and len(worker.tasks) == 50)
        await own_redis.start()
        fresh = await bench.put("work")
        assert await bench.outcome(fresh, BACK_WITHIN) == "worked"
        for job_id in jobs:
            assert await bench.outcome(job_id, BACK_WITHIN) == "worked"
        await bench.until(lambda: bench.is_ready(worker), BACK_WITHIN)
    assert set(work.runs.values()) == {1}
    assert set(work.tries) == {1}


async def test_redis_is_frozen_for_longer_than_a_lease(own_redis: EmbeddedRedis, own_bench: Bench) -> None:
    bench, work = own_bench, Work()
    jobs = [await bench.put("work") for _ in range(20)]
    async with bench.serving(work.function, lease=2) as worker:
        await bench.until(lambda: len(work.runs) == 20)
        frozen = time.monotonic()
        own_redis.freeze()
        await bench.until(lambda: not worker.redis_health.is_up, NOT_READY_WITHIN)
        work.gate.set()
        await bench.until(lambda: time.monotonic() - frozen > 3)
        own_redis.thaw()
        for job_id in jobs:
            assert await bench.outcome(job_id) == "worked"
        assert await bench.outcome(await bench.put("work"), BACK_WITHIN) == "worked"
    assert set(work.runs.values()) == {1}


async def _demote(redis: ArqRedis) -> None:
    await redis.execute_command("REPLICAOF", "127.0.0.1", "1")


async def _promote(redis: ArqRedis) -> None:
    await redis.execute_command("REPLICAOF", "NO", "ONE")


async def _fill(redis: ArqRedis) -> None:
    await redis.config_set("maxmemory", "1")


async def _empty(redis: ArqRedis) -> None:
    await redis.config_set("maxmemory", "0")


async def _spoil_disk(redis: ArqRedis) -> None:
    """Make the next snapshot fail, after which Redis takes no writes (MISCONF)."""
    folder = (await redis.config_get("dir"))["dir"]
    Path(folder, "taken").mkdir()
    await redis.config_set("dbfilename", "taken")
    await redis.config_set("save", "3600 1")
    await redis.bgsave()
    while (await redis.info("persistence"))["rdb_last_bgsave_status"] == "ok":
        await asyncio.sleep(0.01)


async def _mend_disk(redis: ArqRedis) -> None:
    await redis.config_set("dbfilename", "dump.rdb")
    await redis.bgsave()
    # A Redis that saves takes its time to end.
    await redis.config_set("save", "")


@pytest.mark.parametrize(
    ("break_it", "mend_it", "code"),
    [
        (_demote, _promote, "READONLY"),
        (_fill, _empty, "OOM"),
        (_spoil_disk, _mend_disk, "MISCONF"),
    ],
    ids=["read-only", "memory full", "disk error"],
)
async def test_a_redis_that_refuses_writes(
    own_bench: Bench,
    break_it: Callable[[ArqRedis], Awaitable[None]],
    mend_it: Callable[[ArqRedis], Awaitable[None]],
    code: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bench, work = own_bench, Work()
    job_id = await bench.put("work")
    async with bench.serving(work.function) as worker:
        await bench.until(lambda: work.runs)
        await break_it(bench.redis)
        await bench.until(lambda: _nobody_is_ready(bench), NOT_READY_WITHIN)
        work.gate.set()
        assert not worker.redis_health.is_up
        told = capsys.readouterr()
        # Told once, by its name, and not at every attempt. Who waits for a job meanwhile is told UNBLOCKED.
        lines = [line for line in (told.out + told.err).splitlines() if "action=redis_lost" in line]
        codes = [re.findall(r"code=(\w+)", line)[0] for line in lines]
        assert sorted(set(codes) - {"UNBLOCKED"}) == [code]
        assert len(codes) == len(set(codes))
        await mend_it(bench.redis)
        assert await bench.outcome(job_id, BACK_WITHIN) == "worked"
        await bench.until(lambda: bench.is_ready(worker), BACK_WITHIN)
    assert set(work.runs.values()) == {1}


async def _nobody_is_ready(bench: Bench) -> bool:
    """As our own check sees it, and as `arq --check` does by its key."""
    return not await ready_workers(bench.redis) and not await bench.redis.exists(
        bench.queue + keys.HEALTH_CHECK_SUFFIX
    )


async def test_connections_are_cut_again_and_again(own_bench: Bench) -> None:
    bench, work = own_bench, Work()
    work.gate.set()
    jobs = [await bench.put("work") for _ in range(300)]
    cutter = bench.open()
    async with bench.serving(work.function, max_jobs=5):
        ends = time.monotonic() + 2
        while time.monotonic() < ends:
            try:
                await cutter.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                await asyncio.sleep(0.03)
                jobs.append(await bench.put("work"))
            except RedisConnectionError:
                continue
        for job_id in jobs:
            assert await bench.outcome(job_id) == "worked"
    await cutter.aclose(close_connection_pool=True)
    assert set(work.runs.values()) == {1}
    assert set(work.tries) == {1}
    assert await bench.redis.hlen(keys.DEAD) == 0


async def test_a_claim_whose_answer_was_lost_is_recovered_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work()
    work.gate.set()
    claim = Scripts.claim
    lost: list[Claimed] = []

    async def losing(self: Scripts, *args: Any) -> Claim:
        answer = await claim(self, *args)
        if answer.jobs and not lost:
            lost.extend(answer.jobs)
            raise RedisConnectionError("cut")
        return answer

    monkeypatch.setattr(Scripts, "claim", losing)
    jobs = [await bench.put("work") for _ in range(10)]
    async with bench.serving(work.function, lease=60):
        for job_id in jobs:
            assert await bench.outcome(job_id, 5) == "worked"
    assert len(lost) == 10
    assert set(work.tries) == {1}
    assert set(work.runs.values()) == {1}


async def test_a_claim_whose_answer_is_lost_at_shutdown_counts_no_crash(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work()
    claim = Scripts.claim
    worker = bench.worker(work.function, lease=60)

    async def losing(self: Scripts, *args: Any) -> Claim:
        answer = await claim(self, *args)
        if answer.jobs:
            worker.handle_sig(Signals.SIGTERM)
            raise RedisConnectionError("cut")
        return answer

    monkeypatch.setattr(Scripts, "claim", losing)
    job_id = await bench.put("work")
    await asyncio.wait_for(worker.async_run(), 10)
    await worker.close()
    assert not await bench.redis.hexists(keys.LEASES, job_id)
    assert not await bench.redis.exists(keys.TRIES + job_id, keys.IN_PROGRESS + job_id)
    assert work.runs == {}


@pytest.mark.parametrize("grace_s", [0, 5])
async def test_a_claim_under_way_at_shutdown_is_let_come_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, grace_s: float
) -> None:
    work = Work()
    claim, claimed = Scripts.claim, asyncio.Event()
    worker = bench.worker(work.function, lease=60, job_completion_wait=grace_s)

    async def slow(self: Scripts, *args: Any) -> Claim:
        answer = await claim(self, *args)
        if answer.jobs:
            claimed.set()
            # The answer is on its way when the worker is told to stop.
            await asyncio.sleep(0.09)
        return answer

    monkeypatch.setattr(Scripts, "claim", slow)
    job_id = await bench.put("work")
    main = asyncio.create_task(worker.async_run())
    await asyncio.wait_for(claimed.wait(), 10)
    worker.handle_sig(Signals.SIGTERM)
    work.gate.set()
    await asyncio.wait_for(main, 10)
    await worker.close()
    assert not await bench.redis.hexists(keys.LEASES, job_id)
    assert not await bench.redis.exists(keys.IN_PROGRESS + job_id)


async def test_jobs_that_fill_the_default_executor_do_not_hold_up_the_end(bench: Bench) -> None:
    gate = threading.Event()
    started: list[str] = []

    async def threaded(ctx: dict[str, Any]) -> None:
        started.append(ctx["job_id"])
        await asyncio.to_thread(gate.wait)

    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    for _ in range(4):
        await bench.put("threaded")
    worker = bench.worker(func(threaded, name="threaded"), job_completion_wait=0)
    main = asyncio.create_task(worker.async_run())
    await bench.until(lambda: len(started) == 4)
    try:
        worker.handle_sig(Signals.SIGTERM)
        await asyncio.wait_for(main, 5)
        await worker.close()
    finally:
        gate.set()
    assert await bench.redis.zcard(bench.queue + keys.LEASED_SUFFIX) == 0


async def test_a_completion_whose_answer_was_lost_is_not_stored_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work()
    work.gate.set()
    finish, told = Scripts.finish, []

    async def losing(self: Scripts, completions: Any) -> list[bool]:
        answer = await finish(self, completions)
        told.append(answer)
        if len(told) == 1:
            raise RedisConnectionError("cut")
        return answer

    monkeypatch.setattr(Scripts, "finish", losing)
    after: list[str] = []

    async def hook(ctx: dict[str, Any]) -> None:
        after.append(ctx["job_id"])

    job_id = await bench.put("work")
    async with bench.serving(work.function, after_job_end=hook):
        assert await bench.outcome(job_id) == "worked"
        await bench.until(lambda: after)
    assert told[0] == [True]
    assert after == [job_id]
    assert set(work.runs.values()) == {1}


async def test_a_worker_stops_within_bounds_while_redis_is_away(own_redis: EmbeddedRedis, own_bench: Bench) -> None:
    bench, work = own_bench, Work()
    await bench.put("work")
    worker = bench.worker(work.function)
    main = asyncio.create_task(worker.async_run())
    await bench.until(lambda: work.runs)
    await own_redis.kill()
    await asyncio.wait_for(worker.close(), 15)
    await main
    assert main.done()
