from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from arq.connections import ArqRedis
from arq.cron import CronJob, cron
from arq.utils import to_unix_ms
from arq.worker import Worker
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.unit.engine.conftest import QUEUE, KeptEvents, NotedHealth
from worker.engine.context import EngineContext
from worker.engine.cron import CronClock, CronMemory
from worker.engine.events import CronCaughtUp
from worker.errors import ConfigurationError
from worker.queue import keys

NOON = datetime(2025, 6, 30, 12, 0, 30, tzinfo=UTC)
MEMORY = QUEUE + keys.CRON_SUFFIX


async def _job(ctx: dict[str, Any]) -> None: ...


def hourly(name: str = "hourly", **options: Any) -> CronJob:
    return cron(_job, name=name, minute=0, second=0, **options)


def planned_for(job: CronJob, after: datetime) -> datetime:
    """Let a job be planned as of `after`; returns its next run."""
    job.calculate_next(after)
    assert job.next_run is not None
    return job.next_run


async def remembered(redis: ArqRedis) -> dict[bytes, bytes]:
    return dict(await redis.hgetall(MEMORY))


@pytest.fixture
def memory(redis: ArqRedis) -> CronMemory:
    return CronMemory(redis, QUEUE)


async def test_an_enqueued_run_is_remembered_by_its_planned_time(memory: CronMemory, redis: ArqRedis) -> None:
    moved_on, waiting, unplanned = hourly("moved_on"), hourly("waiting"), hourly("unplanned")
    moved_on.next_run = NOON + timedelta(hours=1)
    waiting.next_run = NOON
    await memory.remember([(moved_on, NOON), (waiting, NOON), (unplanned, None)])

    assert await remembered(redis) == {b"moved_on": b"%d" % to_unix_ms(NOON)}


async def test_of_several_runs_of_one_name_the_latest_is_remembered(memory: CronMemory, redis: ArqRedis) -> None:
    jobs = [hourly(), hourly()]
    for job in jobs:
        job.next_run = NOON + timedelta(hours=1)
    await memory.remember([(jobs[0], NOON), (jobs[1], NOON - timedelta(seconds=1))])

    assert await remembered(redis) == {b"hourly": b"%d" % to_unix_ms(NOON)}


async def test_the_first_missed_run_is_due_at_once(memory: CronMemory, redis: ArqRedis) -> None:
    await redis.hset(MEMORY, "hourly", to_unix_ms(NOON - timedelta(hours=5, seconds=30)))
    job = hourly()

    assert await memory.catch_up([job], NOON) == [job]
    # 8 o'clock: the first after the remembered run of 7 o'clock.
    assert job.next_run is not None
    assert job.next_run.replace(microsecond=0) == datetime(2025, 6, 30, 8, 0, tzinfo=UTC)


async def test_a_job_that_missed_nothing_is_left_to_arq(memory: CronMemory, redis: ArqRedis) -> None:
    await redis.hset(MEMORY, "hourly", to_unix_ms(NOON - timedelta(seconds=30)))
    job = hourly()

    assert await memory.catch_up([job], NOON) == []
    assert job.next_run is None


async def test_a_job_never_seen_has_missed_nothing_and_hides_no_other(memory: CronMemory, redis: ArqRedis) -> None:
    await redis.hset(MEMORY, "late", to_unix_ms(NOON - timedelta(days=1)))
    fresh, late = hourly("fresh"), hourly("late")

    assert await memory.catch_up([fresh, late], NOON) == [late]
    assert fresh.next_run is None


async def test_a_job_that_every_worker_runs_is_not_caught_up(memory: CronMemory, redis: ArqRedis) -> None:
    await redis.hset(MEMORY, "hourly", to_unix_ms(NOON - timedelta(days=1)))
    job = hourly(unique=False)

    assert await memory.catch_up([job], NOON) == []
    assert job.next_run is None


@pytest.mark.parametrize("stored", ["9" * 30, "9" * 17, "-1", "noon", ""])
async def test_a_remembered_value_that_is_not_a_time_is_ignored(
    memory: CronMemory, redis: ArqRedis, stored: str
) -> None:
    await redis.hset(MEMORY, "hourly", stored)
    job = hourly()
    assert await memory.catch_up([job], NOON) == []
    assert job.next_run is None

    planned = planned_for(job, NOON)
    await memory.skip_enqueued([job], planned + timedelta(seconds=1))
    assert job.next_run == planned


async def test_a_run_that_another_worker_has_enqueued_is_skipped(memory: CronMemory, redis: ArqRedis) -> None:
    other, job = hourly("other"), hourly()
    planned = planned_for(job, NOON)
    planned_for(other, NOON)
    await redis.hset(MEMORY, "hourly", to_unix_ms(planned))
    await memory.skip_enqueued([other, job], planned + timedelta(seconds=1))

    assert job.next_run == planned + timedelta(hours=1)
    # Nobody is known to have enqueued this one.
    assert other.next_run == planned


async def test_several_enqueued_runs_are_skipped_together(memory: CronMemory, redis: ArqRedis) -> None:
    job = hourly()
    planned = planned_for(job, NOON)
    await redis.hset(MEMORY, "hourly", to_unix_ms(planned + timedelta(hours=3)))
    await memory.skip_enqueued([job], planned + timedelta(seconds=1))

    assert job.next_run == planned + timedelta(hours=4)


async def test_a_run_that_nobody_is_known_to_have_enqueued_stays_due(memory: CronMemory, redis: ArqRedis) -> None:
    job = hourly()
    planned = planned_for(job, NOON)
    await redis.hset(MEMORY, "hourly", to_unix_ms(planned - timedelta(hours=3)))
    await memory.skip_enqueued([job], planned + timedelta(seconds=1))

    assert job.next_run == planned


async def test_a_run_that_is_not_due_is_not_asked_about(memory: CronMemory, redis: ArqRedis) -> None:
    job = hourly()
    planned = planned_for(job, NOON)
    await redis.hset(MEMORY, "hourly", to_unix_ms(planned))
    await memory.skip_enqueued([job], planned)

    assert job.next_run == planned


async def test_a_job_that_every_worker_runs_is_never_skipped(memory: CronMemory, redis: ArqRedis) -> None:
    job = hourly(unique=False)
    planned = planned_for(job, NOON)
    await redis.hset(MEMORY, "hourly", to_unix_ms(planned))
    await memory.skip_enqueued([job], planned + timedelta(seconds=1))

    assert job.next_run == planned


class Stage:
    """The cron of one worker; the time is what the test says."""

    def __init__(self, redis: ArqRedis, events: KeptEvents, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOON
        self._redis = redis
        self._events = events
        stage = self

        class Clock(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return stage.now.astimezone(tz)

        monkeypatch.setattr("worker.engine.cron.datetime", Clock)
        monkeypatch.setattr("arq.connections.timestamp_ms", lambda: to_unix_ms(stage.now))

    def clock(self, *jobs: CronJob, zone: Any = UTC) -> CronClock:
        """Return the clock of a worker that has just started."""
        worker = Worker(
            cron_jobs=jobs,
            queue_name=QUEUE,
            redis_pool=self._redis,
            handle_signals=False,
            poll_delay=0.1,
            timezone=zone,
        )
        return CronClock(worker, self._events)

    async def queued(self) -> list[str]:
        return [job_id.decode() for job_id in await self._redis.zrange(QUEUE, 0, -1)]


@pytest.fixture
def stage(redis: ArqRedis, events: KeptEvents, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(redis, events, monkeypatch)


async def test_runs_are_enqueued_and_remembered_when_they_are_due(
    stage: Stage, redis: ArqRedis, events: KeptEvents
) -> None:
    job = hourly()
    clock = stage.clock(job)
    await clock.tick()
    planned = job.next_run
    assert planned is not None
    assert (await stage.queued(), await remembered(redis)) == ([], {})

    # arq enqueues what is due within two rounds, of half a second at least.
    stage.now = planned - timedelta(seconds=1.01)
    await clock.tick()
    assert await stage.queued() == []
    stage.now = planned - timedelta(seconds=0.99)
    await clock.tick()
    assert await stage.queued() == [f"hourly:{to_unix_ms(planned)}"]
    assert await remembered(redis) == {b"hourly": b"%d" % to_unix_ms(planned)}
    following = planned + timedelta(hours=1)
    assert job.next_run == following
    for seconds in (-1.01, -0.99):
        stage.now = following + timedelta(seconds=seconds)
        await clock.tick()
    assert await stage.queued() == [f"hourly:{to_unix_ms(run)}" for run in (planned, following)]
    # Neither of them was missed.
    assert events.of(CronCaughtUp) == []


@pytest.mark.parametrize("month", [3, 10])
async def test_each_run_is_enqueued_once_and_in_time_while_the_clocks_change(
    stage: Stage, redis: ArqRedis, month: int
) -> None:
    change = datetime(2026, month, 29 if month == 3 else 25, 1, tzinfo=UTC)
    zone = ZoneInfo("Europe/Berlin")
    clocks = [stage.clock(cron(_job, name="quarter", minute={0, 15, 30, 45}), zone=zone) for _ in range(2)]
    expected = []
    for run in (change + number * timedelta(minutes=15) for number in range(-8, 9)):
        for seconds in (-300, -1.5, -0.5, 0, 0.5, 60):
            stage.now = run + timedelta(seconds=seconds)
            for clock in clocks:
                await clock.tick()
            planned = to_unix_ms(run + timedelta(microseconds=123_456))
            if seconds == -0.5:
                expected.append(f"quarter:{planned}")
            assert await stage.queued() == expected
            assert await remembered(redis) == (
                {b"quarter": expected[-1].partition(":")[2].encode()} if expected else {}
            )


async def test_a_run_that_another_worker_enqueued_is_not_enqueued_again(stage: Stage, redis: ArqRedis) -> None:
    early, late = hourly(), hourly()
    clocks = [stage.clock(early), stage.clock(late)]
    for clock in clocks:
        await clock.tick()
    assert early.next_run is not None
    # As early as arq enqueues it.
    stage.now = early.next_run - timedelta(seconds=0.99)
    await clocks[0].tick()
    # It has run already and left nothing behind.
    (job_id,) = await stage.queued()
    await redis.delete(keys.JOB + job_id, QUEUE)
    await clocks[1].tick()

    assert await stage.queued() == []
    assert late.next_run == early.next_run


async def test_a_clock_that_was_wrong_keeps_no_job_from_running_once_it_is_right_again(stage: Stage) -> None:
    clock = stage.clock(hourly())
    stage.now = NOON + timedelta(days=400)
    await clock.tick()
    stage.now += timedelta(hours=1)
    await clock.tick()
    before = await stage.queued()

    stage.now = NOON
    await clock.tick()
    stage.now = NOON + timedelta(minutes=59, seconds=30)
    await clock.tick()
    # Of another worker too, which finds what the first one has remembered.
    other = stage.clock(hourly())
    await other.tick()
    stage.now += timedelta(hours=1)
    await clock.tick()
    await other.tick()

    runs = sorted(set(await stage.queued()) - set(before))
    assert runs == [f"hourly:{to_unix_ms(NOON.replace(hour=hour, second=0)) + 123}" for hour in (13, 14)]


async def test_a_run_that_could_not_be_enqueued_is_enqueued_later(
    stage: Stage, redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = hourly()
    clock = stage.clock(job)
    await clock.tick()
    planned = job.next_run
    assert planned is not None
    stage.now = planned

    async def lost(*arguments: Any, **options: Any) -> None:
        raise RedisConnectionError("gone")

    with monkeypatch.context() as away:
        away.setattr(redis, "enqueue_job", lost)
        with pytest.raises(RedisConnectionError):
            await clock.tick()
    assert job.next_run == planned
    assert await remembered(redis) == {}
    stage.now += timedelta(seconds=30)
    await clock.tick()

    assert await stage.queued() == [f"hourly:{to_unix_ms(planned)}"]


async def test_runs_missed_while_no_worker_was_up_are_caught_up_once(
    stage: Stage, redis: ArqRedis, events: KeptEvents
) -> None:
    await redis.hset(MEMORY, "hourly", to_unix_ms(NOON - timedelta(hours=5, seconds=30)))
    job, other = hourly(), hourly()
    clock = stage.clock(job)
    await clock.tick()

    (job_id,) = await stage.queued()
    # Its planned time names it, so that workers which start together enqueue it once.
    first_missed_ms = int(job_id.partition(":")[2])
    assert first_missed_ms // 1000 == datetime(2025, 6, 30, 8, 0, tzinfo=UTC).timestamp()
    assert events.of(CronCaughtUp) == [CronCaughtUp("hourly")]
    # One run makes up for all.
    assert await remembered(redis) == {b"hourly": b"%d" % to_unix_ms(NOON)}
    assert job.next_run is not None
    assert job.next_run > NOON
    await clock.tick()
    await stage.clock(other).tick()
    assert await stage.queued() == [job_id]
    assert len(events.of(CronCaughtUp)) == 1


async def test_a_missed_run_is_looked_for_until_redis_has_answered(
    stage: Stage, redis: ArqRedis, events: KeptEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    await redis.hset(MEMORY, "hourly", to_unix_ms(NOON - timedelta(days=1)))
    clock = stage.clock(hourly())

    async def lost(*arguments: Any) -> None:
        raise RedisConnectionError("gone")

    with monkeypatch.context() as away:
        away.setattr(redis, "hget", lost)
        with pytest.raises(RedisConnectionError):
            await clock.tick()
    assert events.of(CronCaughtUp) == []
    await clock.tick()

    assert len(events.of(CronCaughtUp)) == len(await stage.queued()) == 1


class Failing(CronClock):
    """A clock whose first ticks meet a Redis that is gone."""

    def __init__(self, worker: Worker, events: KeptEvents, failures: int) -> None:
        super().__init__(worker, events)
        self.failures = failures
        self.ticks = 0

    async def tick(self) -> None:
        self.ticks += 1
        if self.ticks <= self.failures:
            raise RedisConnectionError(str(self.ticks))


def failing(redis: ArqRedis, events: KeptEvents, failures: int) -> Failing:
    worker = Worker(cron_jobs=[hourly()], redis_pool=redis, handle_signals=False)
    return Failing(worker, events, failures)


async def test_the_first_tick_of_a_burst_waits_for_redis(
    redis: ArqRedis, context: EngineContext, events: KeptEvents, health: NotedHealth
) -> None:
    clock = failing(redis, events, failures=3)
    await clock.first_tick(context)

    assert clock.ticks == 4
    assert [str(error) for error in health.failures] == ["1", "2", "3"]


async def test_a_burst_that_is_told_to_stop_waits_for_redis_no_longer(
    redis: ArqRedis, context: EngineContext, events: KeptEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = failing(redis, events, failures=1_000)

    async def stopped(error: Exception) -> None:
        context.stopping.set()

    monkeypatch.setattr(context.redis_health, "failed", stopped)
    await clock.first_tick(context)

    assert clock.ticks == 1


async def test_a_burst_that_was_told_to_stop_before_ticks_not_at_all(
    redis: ArqRedis, context: EngineContext, events: KeptEvents
) -> None:
    clock = failing(redis, events, failures=0)
    context.stopping.set()
    await clock.first_tick(context)

    assert clock.ticks == 0


async def test_missed_runs_are_caught_up_once_although_redis_failed_meanwhile(
    stage: Stage, redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await redis.hset(MEMORY, "hourly", to_unix_ms(NOON - timedelta(hours=5, seconds=30)))
    clock = stage.clock(hourly())

    async def lost(*arguments: Any, **options: Any) -> None:
        raise RedisConnectionError("gone")

    with monkeypatch.context() as away:
        away.setattr(redis, "enqueue_job", lost)
        with pytest.raises(RedisConnectionError):
            await clock.tick()
    for _ in range(6):
        await clock.tick()
    assert len(await stage.queued()) == 1


@pytest.mark.parametrize("order", [1, -1])
async def test_every_run_of_each_schedule_of_one_function_is_enqueued(stage: Stage, order: int) -> None:
    # arq names both after their function.
    schedules = [cron(_job, hour=13, minute=0), cron(_job, hour=17, minute=30)][::order]
    clock = stage.clock(*schedules)
    await clock.tick()
    expected = []
    for day in range(3):
        for time_of_day in (timedelta(hours=13), timedelta(hours=17, minutes=30)):
            run = NOON.replace(hour=0, second=0, microsecond=123_456) + timedelta(days=day) + time_of_day
            stage.now = run - timedelta(seconds=0.5)
            await clock.tick()
            expected.append(f"cron:_job:{to_unix_ms(run)}")
    assert await stage.queued() == expected


@pytest.mark.parametrize("order", [1, -1])
async def test_of_several_schedules_of_one_function_the_one_that_missed_a_run_is_caught_up(
    stage: Stage, redis: ArqRedis, events: KeptEvents, order: int
) -> None:
    await redis.hset(MEMORY, "cron:_job", to_unix_ms(NOON - timedelta(hours=4)))
    schedules = [cron(_job, hour=11, minute=30), cron(_job, hour=17, minute=30)][::order]
    clock = stage.clock(*schedules)
    await clock.tick()
    await clock.tick()

    missed = NOON.replace(hour=11, minute=30, second=0, microsecond=123_456)
    assert await stage.queued() == [f"cron:_job:{to_unix_ms(missed)}"]
    assert events.of(CronCaughtUp) == [CronCaughtUp("cron:_job")]
    assert await remembered(redis) == {b"cron:_job": b"%d" % to_unix_ms(NOON)}
    stage.now = NOON.replace(hour=17, minute=30, second=0)
    await clock.tick()
    assert len(await stage.queued()) == 2


async def test_a_schedule_that_never_matches_is_refused_by_name(stage: Stage) -> None:
    never = cron(_job, name="never", month=2, day=30)
    with pytest.raises(ConfigurationError, match="the cron job 'never' never runs: no date has its month"):
        await stage.clock(never).tick()
