"""The cron jobs of all workers, as heartbeats and the memory of their runs have them."""

from datetime import timedelta
from typing import Any

from worker.codec import Codec
from worker.contract import DEFAULT_QUEUE
from worker.queue import keys
from worker.queue.cron_jobs import KnownCronJob, read_cron_jobs, run_cron_job
from worker.queue.heartbeats import CronPlan, Heartbeat, redis_time, write_heartbeat

MEMORY = DEFAULT_QUEUE + keys.CRON_SUFFIX
DAY = timedelta(days=1)


async def write(redis: Any, worker: str, *cron_jobs: CronPlan, age: timedelta = timedelta()) -> None:
    at = await redis_time(redis) - age
    heartbeat = Heartbeat(
        worker=worker, host="vm", pid=1, ready=True, queues=["arq:queue", "own"], slots=1, running=0, complete=0,
        retried=0, failed=0, started_at=at, at=at, cron_jobs=list(cron_jobs),
    )  # fmt: skip
    await write_heartbeat(redis, heartbeat)


async def test_a_cron_job_has_the_next_run_that_a_worker_plans_and_the_last_that_was_enqueued(redis: Any) -> None:
    at = await redis_time(redis)
    await write(redis, "w1", CronPlan(name="report", queue="own", next_run=at + 2 * DAY))
    await write(redis, "w2", CronPlan(name="report", queue="own", next_run=at + DAY))
    await write(redis, "w3", CronPlan(name="report", queue="own"))
    await redis.hset("own" + keys.CRON_SUFFIX, "report", 1_764_300_000_123)

    assert await read_cron_jobs(redis, (DEFAULT_QUEUE,)) == [
        KnownCronJob("report", "own", 3, "", (at + DAY).timestamp() * 1000, 1_764_300_000_123)
    ]


async def test_several_schedules_of_one_function_are_one_cron_job_of_one_worker(redis: Any) -> None:
    at = await redis_time(redis)
    schedules = [CronPlan(name="report", queue="own", next_run=at + days * DAY) for days in (2, 1)]
    await write(redis, "w1", *schedules)

    assert await read_cron_jobs(redis, (DEFAULT_QUEUE,)) == [
        KnownCronJob("report", "own", 1, "", (at + DAY).timestamp() * 1000, None)
    ]


async def test_a_cron_job_that_no_worker_has_any_more_has_no_next_run(redis: Any) -> None:
    at = await redis_time(redis)
    await write(redis, "gone", CronPlan(name="report", queue="arq:queue", next_run=at), age=timedelta(minutes=1))
    await redis.hset(MEMORY, "report", 5)

    assert await read_cron_jobs(redis, (DEFAULT_QUEUE,)) == [KnownCronJob("report", "arq:queue", 0, "", None, 5)]


async def test_what_other_programs_wrote_is_no_time(redis: Any) -> None:
    await redis.hset(MEMORY, mapping={b"\xff": "noon", "b": "9" * 5_000, "c": "-1"})
    await redis.rpush("other" + keys.CRON_SUFFIX, "foreign")

    found = await read_cron_jobs(redis, (DEFAULT_QUEUE, "other"))

    assert [(it.name, it.last_ms) for it in found] == [("\\xff", None), ("b", None), ("c", None)]


async def test_a_run_now_is_due_and_beside_the_planned_ones(redis: Any) -> None:
    codec = Codec({"k": "a secret of this test that is long enough"})
    cron_job = KnownCronJob("report", DEFAULT_QUEUE, 1, "", None, 7)
    await redis.hset(MEMORY, "report", 7)

    job_id, state = await run_cron_job(redis, codec, cron_job, 8)

    now_ms = (await redis_time(redis)).timestamp() * 1000
    assert (job_id, state) == ("report:now:8", "new")
    message = codec.decode(await redis.get(keys.JOB + job_id))
    assert {name: message[name] for name in ("f", "a", "k", "t", "id")} == {
        "f": "report", "a": [], "k": {}, "t": None, "id": job_id,
    }  # fmt: skip
    assert abs(now_ms - message["et"]) < 10_000
    assert await redis.zscore(DEFAULT_QUEUE, job_id) <= now_ms
    assert await redis.hgetall(MEMORY) == {b"report": b"7"}


async def test_runs_that_share_an_id_are_not_enqueued_twice(redis: Any) -> None:
    cron_job = KnownCronJob("report", DEFAULT_QUEUE, 1, "the-report", None, None)

    found = [await run_cron_job(redis, Codec(), cron_job, asked_ms) for asked_ms in (8, 9)]

    # The id is taken, whoever asks and when.
    assert [job_id for job_id, _ in found] == ["the-report"] * 2
    assert await redis.zcard(DEFAULT_QUEUE) == 1


async def test_who_asks_for_the_same_run_again_gets_no_second_one(redis: Any) -> None:
    cron_job = KnownCronJob("report", DEFAULT_QUEUE, 1, "", None, None)

    found = [await run_cron_job(redis, Codec(), cron_job, asked_ms) for asked_ms in (8, 8, 9)]

    assert [job_id for job_id, _ in found] == ["report:now:8", "report:now:8", "report:now:9"]
    assert [state == "new" for _, state in found] == [True, False, True]
    assert await redis.zcard(DEFAULT_QUEUE) == 2
