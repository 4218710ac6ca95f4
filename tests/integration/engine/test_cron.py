from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from arq.cron import CronJob, cron
from arq.utils import to_unix_ms

from tests.integration.engine.conftest import Bench
from tests.redis_scripts.script_bench import ScriptBench
from worker.codec import Codec
from worker.engine.cron import CronMemory
from worker.queue import keys
from worker.queue.cron_jobs import KnownCronJob, read_cron_jobs, run_cron_job

NOON = datetime(2025, 6, 30, 12, 0, 30, tzinfo=UTC)


async def _hourly(ctx: dict[str, Any]) -> None: ...


def hourly(**options: Any) -> CronJob:
    return cron(_hourly, name="hourly", minute=0, second=0, **options)


async def test_a_missed_run_is_due_immediately_and_only_once(script_bench: ScriptBench) -> None:
    memory, job = CronMemory(script_bench.redis, script_bench.queue), hourly()
    job.next_run = NOON + timedelta(hours=1)
    await memory.remember([(job, NOON - timedelta(hours=5))])

    late = hourly()
    assert await memory.catch_up([late], NOON) == [late]
    assert late.next_run is not None
    assert late.next_run < NOON

    late.calculate_next(NOON)
    await memory.remember([(late, NOON)])
    again = hourly()
    assert await memory.catch_up([again], NOON + timedelta(minutes=1)) == []
    assert again.next_run is None


async def test_no_run_is_caught_up_for_a_job_that_is_new_or_not_unique(script_bench: ScriptBench) -> None:
    memory = CronMemory(script_bench.redis, script_bench.queue)
    never_seen = hourly()
    await memory.catch_up([never_seen], NOON)
    assert never_seen.next_run is None

    await script_bench.redis.hset(
        script_bench.queue + keys.CRON_SUFFIX, "hourly", to_unix_ms(NOON - timedelta(days=1))
    )
    not_unique = hourly(unique=False)
    await memory.catch_up([not_unique], NOON)
    assert not_unique.next_run is None


@pytest.mark.parametrize("stored", ["9" * 30, "9" * 5_000, "-1", "noon"])
async def test_a_stored_value_that_is_not_a_time_is_ignored(script_bench: ScriptBench, stored: str) -> None:
    memory, job = CronMemory(script_bench.redis, script_bench.queue), hourly()
    await script_bench.redis.hset(script_bench.queue + keys.CRON_SUFFIX, "hourly", stored)
    assert await memory.catch_up([job], NOON) == []

    job.calculate_next(NOON)
    planned = job.next_run
    assert planned is not None
    await memory.skip_enqueued([job], planned + timedelta(seconds=1))
    assert job.next_run == planned


async def test_a_run_that_was_not_enqueued_is_not_remembered(script_bench: ScriptBench) -> None:
    memory, job = CronMemory(script_bench.redis, script_bench.queue), hourly()
    job.next_run = NOON
    await memory.remember([(job, NOON)])
    assert await script_bench.redis.hlen(script_bench.queue + keys.CRON_SUFFIX) == 0


@pytest.mark.parametrize("worker_late_s", [0, 5, 400])
async def test_a_run_that_another_worker_has_enqueued_is_skipped(
    script_bench: ScriptBench, worker_late_s: int
) -> None:
    memory, early, late = CronMemory(script_bench.redis, script_bench.queue), hourly(), hourly()
    late.calculate_next(NOON)
    planned = late.next_run
    early.calculate_next(NOON + timedelta(hours=1))
    await memory.remember([(early, planned)])

    assert planned is not None
    await memory.skip_enqueued([late], planned + timedelta(seconds=worker_late_s + 1))

    assert late.next_run == planned + timedelta(hours=1)
    await memory.skip_enqueued([late], planned + timedelta(hours=1, seconds=1))
    assert late.next_run == planned + timedelta(hours=1)


async def test_a_heartbeat_has_the_next_run_of_each_cron_job_and_one_runs_now_too(bench: Bench) -> None:
    ran: list[str] = []

    async def yearly(ctx: dict[str, Any]) -> None:
        ran.append(ctx["job_id"])

    name = f"yearly-{bench.queue}"
    job = cron(yearly, name=name, month=(datetime.now(UTC) + timedelta(days=60)).month, day=1, hour=3)
    async with bench.serving(cron_jobs=[job], timezone=UTC):

        async def known() -> KnownCronJob | None:
            found = await read_cron_jobs(bench.redis, (bench.queue,))
            return next((it for it in found if it.name == name and it.next_ms is not None), None)

        cron_job = await bench.until(known)
        next_run = job.next_run
        assert next_run is not None
        assert (cron_job.queue, cron_job.workers, cron_job.job_id) == (bench.queue, 1, "")
        assert cron_job.next_ms == next_run.timestamp() * 1000

        job_id, state = await run_cron_job(bench.redis, Codec(), cron_job, 8)

        assert state == "new"
        await bench.until(lambda: ran == [job_id])
        assert job.next_run == next_run
        assert await bench.redis.hget(bench.queue + keys.CRON_SUFFIX, name) is None


async def test_each_worker_enqueues_its_own_run_of_a_job_that_is_not_unique(script_bench: ScriptBench) -> None:
    memory, job = CronMemory(script_bench.redis, script_bench.queue), hourly(unique=False)
    job.calculate_next(NOON)
    planned = job.next_run
    assert planned is not None
    await script_bench.redis.hset(script_bench.queue + keys.CRON_SUFFIX, "hourly", to_unix_ms(planned))
    await memory.skip_enqueued([job], planned + timedelta(seconds=1))
    assert job.next_run == planned
