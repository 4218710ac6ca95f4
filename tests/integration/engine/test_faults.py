"""A worker survives faults of Redis, keeps its running jobs, and reports correctly whether it is ready."""

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
from worker.queue.claim import Claim, ClaimedJob
from worker.queue.heartbeats import ready_workers
from worker.queue.scripts import Scripts

BACK_WITHIN = 3.0  # seconds from Redis's return until work resumes
NOT_READY_WITHIN = 10.0  # seconds; a heartbeat is valid for 4


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


async def test_running_jobs_survive_a_crash_of_redis(own_redis: EmbeddedRedis, own_bench: Bench) -> None:
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


async def test_running_jobs_survive_a_redis_frozen_for_longer_than_a_lease(
    own_redis: EmbeddedRedis, own_bench: Bench
) -> None:
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


async def _snapshot_file(redis: ArqRedis) -> Path:
    settings = await redis.config_get("d*")
    return Path(settings["dir"], settings["dbfilename"])


async def _break_disk(redis: ArqRedis) -> None:
    """Make the next snapshot fail, after which Redis refuses writes (MISCONF)."""
    snapshot = await _snapshot_file(redis)
    snapshot.unlink(missing_ok=True)
    # The finished snapshot cannot replace a folder that is not empty, whichever user the server runs as.
    snapshot.mkdir()
    (snapshot / "filler").touch()
    await redis.config_set("save", "3600 1")
    await redis.bgsave()
    while (await redis.info("persistence"))["rdb_last_bgsave_status"] == "ok":
        await asyncio.sleep(0.01)


async def _repair_disk(redis: ArqRedis) -> None:
    snapshot = await _snapshot_file(redis)
    (snapshot / "filler").unlink()
    snapshot.rmdir()
    await redis.bgsave()
    # A Redis that saves snapshots is slow to shut down.
    await redis.config_set("save", "")


@pytest.mark.parametrize(
    ("break_redis", "repair_redis", "code"),
    [
        (_demote, _promote, "READONLY"),
        (_fill, _empty, "OOM"),
        (_break_disk, _repair_disk, "MISCONF"),
    ],
    ids=["read-only", "memory full", "disk error"],
)
async def test_a_worker_survives_a_redis_that_refuses_writes(
    own_bench: Bench,
    break_redis: Callable[[ArqRedis], Awaitable[None]],
    repair_redis: Callable[[ArqRedis], Awaitable[None]],
    code: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench, work = own_bench, Work()
    job_id = await bench.put("work")
    async with bench.serving(work.function) as worker:
        await bench.until(lambda: work.runs)
        await break_redis(bench.redis)
        await bench.until(lambda: _no_worker_is_ready(bench), NOT_READY_WITHIN)
        work.gate.set()
        assert not worker.redis_health.is_up
        # Each code is logged once, not at every attempt. A blocked call may be answered with UNBLOCKED first.
        lines = [message for message in caplog.messages if "action=redis_lost" in message]
        codes = [re.findall(r"code=(\w+)", line)[0] for line in lines]
        assert sorted(set(codes) - {"UNBLOCKED"}) == [code]
        assert len(codes) == len(set(codes))
        await repair_redis(bench.redis)
        assert await bench.outcome(job_id, BACK_WITHIN) == "worked"
        await bench.until(lambda: bench.is_ready(worker), BACK_WITHIN)
    assert set(work.runs.values()) == {1}


async def _no_worker_is_ready(bench: Bench) -> bool:
    """By the heartbeats of this project, and by the key that `arq --check` reads."""
    return not await ready_workers(bench.redis) and not await bench.redis.exists(
        bench.queue + keys.HEALTH_CHECK_SUFFIX
    )


async def test_each_job_runs_once_while_connections_are_cut_repeatedly(own_bench: Bench) -> None:
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


async def test_a_claim_whose_answer_was_lost_is_recovered_immediately(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work()
    work.gate.set()
    claim = Scripts.claim
    lost: list[ClaimedJob] = []

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
async def test_shutdown_waits_for_the_answer_of_a_running_claim(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, grace_s: float
) -> None:
    work = Work()
    claim, claimed = Scripts.claim, asyncio.Event()
    worker = bench.worker(work.function, lease=60, job_completion_wait=grace_s)

    async def slow(self: Scripts, *args: Any) -> Claim:
        answer = await claim(self, *args)
        if answer.jobs:
            claimed.set()
            # The answer is on its way when the signal to stop arrives.
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


async def test_jobs_that_fill_the_default_executor_do_not_block_shutdown(bench: Bench) -> None:
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
    finish, answers = Scripts.finish, []

    async def losing(self: Scripts, completions: Any) -> list[bool]:
        answer = await finish(self, completions)
        answers.append(answer)
        if len(answers) == 1:
            raise RedisConnectionError("cut")
        return answer

    after: list[str] = []

    async def hook(ctx: dict[str, Any]) -> None:
        after.append(ctx["job_id"])

    async with bench.serving(work.function, after_job_end=hook):
        # Not before: a worker tries each script once before it serves.
        monkeypatch.setattr(Scripts, "finish", losing)
        job_id = await bench.put("work")
        assert await bench.outcome(job_id) == "worked"
        await bench.until(lambda: after)
    assert answers[0] == [True]
    assert after == [job_id]
    assert set(work.runs.values()) == {1}


async def test_a_worker_stops_in_bounded_time_if_redis_is_unavailable(
    own_redis: EmbeddedRedis, own_bench: Bench
) -> None:
    bench, work = own_bench, Work()
    await bench.put("work")
    worker = bench.worker(work.function)
    main = asyncio.create_task(worker.async_run())
    await bench.until(lambda: work.runs)
    await own_redis.kill()
    await asyncio.wait_for(worker.close(), 15)
    await main
    assert main.done()
