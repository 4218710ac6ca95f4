import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from tests.redis_scripts.script_bench import OWNER, ScriptBench
from tests.support.captured_lines import capture_logs
from tests.support.logged_events import logged_events
from worker.codec import Codec
from worker.embedded import EmbeddedRedis
from worker.engine.arq_redis import open_arq_redis
from worker.engine.completer import Completer
from worker.engine.events import Events
from worker.engine.redis_health import RedisHealth
from worker.queue.claim import ClaimedJob
from worker.queue.completion import Completion
from worker.queue.scripts import Scripts
from worker.redis.limits import ValueLimit
from worker.settings import load_settings


@asynccontextmanager
async def bench_on(server: EmbeddedRedis) -> AsyncIterator[ScriptBench]:
    redis = open_arq_redis(load_settings(redis_url=server.url, redis_timeout=1), Codec())
    try:
        yield ScriptBench(redis)
    finally:
        await redis.aclose(close_connection_pool=True)


def make_completer(scripts: Scripts, health: RedisHealth, events: Events) -> Completer:
    return Completer(scripts, health, events, ValueLimit(scripts._redis), timeout_s=1)


@asynccontextmanager
async def running_completer(scripts: Scripts, health: RedisHealth | None = None) -> AsyncIterator[Completer]:
    events = logged_events()
    completer = make_completer(scripts, health or RedisHealth(events), events)
    task = asyncio.create_task(completer.run())
    try:
        yield completer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def done(job: ClaimedJob) -> Completion:
    return Completion(job.job_id, job.queue, OWNER, "done")


class RecordingScripts(Scripts):
    """Real scripts that record the size of each group and can lose answers."""

    def __init__(self, redis: Any) -> None:
        super().__init__(redis)
        self.groups: list[int] = []
        self.lose_answers = 0

    async def finish(self, completions: Any) -> list[bool]:
        group = list(completions)
        applied = await super().finish(group)
        self.groups.append(len(group))
        if self.lose_answers:
            self.lose_answers -= 1
            raise RedisConnectionError("cut after the script ran")
        return applied


async def wait_until_down(health: RedisHealth) -> None:
    async with asyncio.timeout(10):
        while health.is_up:
            await asyncio.sleep(0.01)


async def test_completions_that_arrive_together_are_stored_in_groups(script_bench: ScriptBench) -> None:
    await script_bench.enqueue(*map(str, range(450)))
    scripts = RecordingScripts(script_bench.redis)
    async with running_completer(scripts) as completer:
        stored = [completer.submit(done(job)) for job in (await script_bench.claim()).jobs]

        assert await asyncio.gather(*stored) == [True] * 450

    assert scripts.groups == [100, 100, 100, 100, 50]
    assert (await script_bench.counts()).total == 0


class PoisonedScripts(RecordingScripts):
    """Scripts that raise WRONGTYPE for a group that contains the job `poison`."""

    poison = b""

    async def finish(self, completions: Any) -> list[bool]:
        group = list(completions)
        if any(completion.job_id == self.poison for completion in group):
            raise ResponseError(
                "Error running script (call to f_0): @user_script:9: WRONGTYPE Operation against a key"
            )
        return await super().finish(group)


async def test_a_completion_that_cannot_be_stored_does_not_block_the_others(script_bench: ScriptBench) -> None:
    await script_bench.enqueue(*map(str, range(20)))
    jobs = (await script_bench.claim()).jobs
    scripts = PoisonedScripts(script_bench.redis)
    scripts.poison = jobs[7].job_id
    health = RedisHealth(logged_events())
    async with running_completer(scripts, health) as completer:
        with capture_logs() as logs:
            stored = await asyncio.gather(*(completer.submit(done(job)) for job in jobs))

    assert stored == [number != 7 for number in range(20)]
    assert [(entry["action"], entry["job_id"]) for entry in logs] == [
        ("completion_dropped", jobs[7].job_id.decode())
    ]
    assert health.is_up


async def test_a_group_is_limited_in_bytes(script_bench: ScriptBench) -> None:
    await script_bench.enqueue("a", "b", "c")
    scripts = RecordingScripts(script_bench.redis)
    async with running_completer(scripts) as completer:
        stored = [
            completer.submit(done(job)._replace(result=bytes(9_000_000), result_life_ms=1_000))
            for job in (await script_bench.claim()).jobs
        ]
        assert await asyncio.gather(*stored) == [True] * 3

    assert scripts.groups == [2, 1]


async def test_a_late_completion_is_refused_and_logged(script_bench: ScriptBench) -> None:
    await script_bench.enqueue("a", "b")
    late, fresh = (await script_bench.claim()).jobs
    await script_bench.let_lease_end("a")
    await script_bench.claim("successor")
    async with running_completer(script_bench.scripts) as completer:
        with capture_logs() as logs:
            stored = [completer.submit(done(job)) for job in (late, fresh)]
            assert await asyncio.gather(*stored) == [False, True]

    assert [(entry["action"], entry["job_id"]) for entry in logs] == [("completion_refused", script_bench.id("a"))]


async def test_a_group_is_applied_once_even_if_its_answer_is_lost(script_bench: ScriptBench) -> None:
    await script_bench.enqueue("a")
    job = await script_bench.claim_one()
    scripts = RecordingScripts(script_bench.redis)
    scripts.lose_answers = 2
    async with running_completer(scripts) as completer:
        with capture_logs() as logs:
            completion = Completion(job.job_id, job.queue, "token", "retry", record=b"entry")
            assert await completer.submit(completion)

    assert len(scripts.groups) == 3
    assert await script_bench.history("a") == [b"entry"]
    assert await script_bench.tries("a") == 1
    assert [entry["action"] for entry in logs] == ["redis_lost", "redis_back"]


@pytest.mark.parametrize("fault", ["killed", "frozen", "full", "demoted"])
async def test_completions_survive_redis_faults(own_redis: EmbeddedRedis, fault: str) -> None:
    async with bench_on(own_redis) as script_bench:
        await script_bench.enqueue("a")
        job = await script_bench.claim_one()
        repair = await _inject_fault(own_redis, script_bench, fault)
        health = RedisHealth(logged_events())
        async with running_completer(script_bench.scripts, health) as completer:
            # Larger than what a full Redis takes all the same.
            result = Completion(job.job_id, job.queue, "token", "done", bytes(10_000), 60_000)
            stored = completer.submit(result)
            await wait_until_down(health)
            assert not stored.done()
            await repair()

            assert await asyncio.wait_for(stored, 10)

        assert health.is_up
        assert await script_bench.redis.get("arq:result:" + script_bench.id("a")) == bytes(10_000)


async def _inject_fault(server: EmbeddedRedis, script_bench: ScriptBench, fault: str) -> Callable[[], Any]:
    """Break Redis in one way; returns the function that repairs it."""
    redis = script_bench.redis

    async def thaw() -> None:
        server.thaw()

    match fault:
        case "killed":
            await server.kill()
            return server.start
        case "frozen":
            server.freeze()
            return thaw
        case "full":
            await redis.config_set("maxmemory", "1")
            return lambda: redis.config_set("maxmemory", "0")
    await redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    return lambda: redis.execute_command("REPLICAOF", "NO", "ONE")


async def test_a_completer_that_falls_behind_is_congested_until_it_has_caught_up(
    script_bench: ScriptBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.engine.completer._HIGH_MARK", 5)
    monkeypatch.setattr("worker.engine.completer._LOW_MARK", 2)
    monkeypatch.setattr("worker.engine.completer._GROUP_SIZE", 1)
    await script_bench.enqueue(*map(str, range(6)))
    jobs = (await script_bench.claim()).jobs
    scripts = RecordingScripts(script_bench.redis)
    completer = make_completer(scripts, RedisHealth(Events()), Events())
    congested: list[bool] = []
    for job in jobs[:5]:
        completer.submit(done(job))
    congested.append(completer.is_congested)
    last = completer.submit(done(jobs[5]))
    congested.append(completer.is_congested)

    finish = scripts.finish

    async def watched(group: Any) -> list[bool]:
        congested.append(completer.is_congested)
        return await finish(group)

    monkeypatch.setattr(scripts, "finish", watched)
    task = asyncio.create_task(completer.run())
    assert await last
    task.cancel()

    # While one is being stored, five, then four, then three are waiting: still above the low mark.
    assert congested == [False, True, True, True, True, False, False, False]


async def test_a_cancelled_waiter_does_not_block_the_next_one(script_bench: ScriptBench) -> None:
    await script_bench.enqueue("a", "b")
    first, second = (await script_bench.claim()).jobs
    completer = make_completer(script_bench.scripts, RedisHealth(Events()), Events())
    completer.submit(done(first)).cancel()
    stored = completer.submit(done(second))
    task = asyncio.create_task(completer.run())

    assert await asyncio.wait_for(stored, 10)
    task.cancel()
    assert (await script_bench.counts()).total == 0
