"""Enqueues arq's cron jobs when they are due, and catches up once on runs missed while no worker was up.

Instants of one zone are compared in UTC: Python compares their wall clocks, which show an hour twice in autumn.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from arq.cron import CronJob
from arq.utils import to_unix_ms
from arq.worker import Worker

from worker.engine.context import EngineContext
from worker.engine.cron_times import next_run
from worker.engine.events import CronCaughtUp, Events
from worker.errors import ConfigurationError
from worker.queue import keys
from worker.queue.heartbeats import CronPlan
from worker.redis.errors import REDIS_ERRORS

if TYPE_CHECKING:
    from arq.connections import ArqRedis


# Runs of one job are at least a second apart, so a remembered run stands for all of its second.
_SAME_RUN = timedelta(milliseconds=999)
# Workers' clocks differ by less. A run that is planned or remembered beyond it comes from a clock that was wrong,
# and would keep its job from running until then.
_CLOCKS_DIFFER = timedelta(days=1)


class CronMemory:
    """The last planned run of each cron job of one queue, in Redis."""

    def __init__(self, redis: "ArqRedis", queue_name: str) -> None:
        self._redis = redis
        self._key = queue_name + keys.CRON_SUFFIX

    async def catch_up(self, cron_jobs: Sequence[CronJob], now: datetime) -> list[CronJob]:
        """Make each job that missed runs since its last remembered one due, and return those jobs.

        However many runs were missed, only the first of them is caught up: its planned time names the job, so that
        workers which start together enqueue it once. A job never seen before has missed nothing.
        """
        late = []
        for job in cron_jobs:
            last = _instant(await self._redis.hget(self._key, job.name), now)
            if last is None or not job.unique:
                continue
            if _plan(job, last + _SAME_RUN, now.tzinfo) < now.astimezone(UTC):
                late.append(job)
            else:
                job.next_run = None
        return late

    async def skip_enqueued(self, cron_jobs: Sequence[CronJob], until: datetime) -> None:
        """Move each job that is due before `until` on to the first run that no worker is known to have enqueued.

        A worker whose clock is late reaches a run that may have ended and left no trace but this one.
        """
        due = [job for job in cron_jobs if job.unique and _is_due(job, until)]
        if not due:
            return
        for job, last_ms in zip(due, await self._redis.hmget(self._key, [job.name for job in due]), strict=True):
            last = _instant(last_ms, until)
            # The stored instants are whole milliseconds.
            if last is not None and job.next_run is not None and to_unix_ms(job.next_run) <= to_unix_ms(last):
                _plan(job, last + _SAME_RUN, until.tzinfo)

    async def remember(self, planned: Iterable[tuple[CronJob, datetime | None]]) -> None:
        """Store the runs that were enqueued; `planned` has each job with its next run from before the enqueuing.

        Several schedules of one function have one name in arq, and so one entry here: the latest of their runs.
        """
        runs: dict[str, int] = {}
        for job, run in planned:
            if run is not None and job.next_run is not None and to_unix_ms(job.next_run) > to_unix_ms(run):
                runs[job.name] = max(to_unix_ms(run), runs.get(job.name, 0))
        for name, run_ms in runs.items():
            await self._redis.hset(self._key, name, run_ms)


class CronClock:
    """Drives the cron jobs of one worker; `next_run` of each is in the worker's time zone, as arq users read it."""

    def __init__(self, worker: Worker, events: Events) -> None:
        self._worker = worker
        self._events = events
        self._memory = CronMemory(worker.pool, worker.queue_name)
        self._caught_up = False
        self._late: list[CronJob] = []
        self._last_tick: datetime | None = None

    async def first_tick(self, context: EngineContext) -> None:
        """Tick once, however long Redis takes to answer: a burst ends when the queues are empty.

        Returns without a tick if the worker stops.
        """
        while not context.stopping.is_set():
            try:
                await self.tick()
            except REDIS_ERRORS as error:
                await context.redis_health.failed(error)
            else:
                break

    async def tick(self) -> None:
        """Enqueue the runs that are due."""
        worker = self._worker
        now = datetime.now(tz=worker.timezone)
        self._correct_plans(now)
        if not self._caught_up:
            self._late = await self._memory.catch_up(worker.cron_jobs, now)
            for job in self._late:
                self._events.send(CronCaughtUp(job.name))
            self._caught_up = True
        delay_s = max(worker.poll_delay_s, 0.5)
        # As arq does, enqueue what is due within two such delays.
        until = (now.astimezone(UTC) + timedelta(seconds=2 * delay_s)).astimezone(worker.timezone)
        await self._memory.skip_enqueued(worker.cron_jobs, until)
        planned = [(job, job.next_run) for job in worker.cron_jobs]
        starting = [job for job in worker.cron_jobs if job.next_run is None and job.run_at_startup]
        for job in starting:
            job.next_run = now
        due = [job for job in worker.cron_jobs if _is_due(job, until)]
        try:
            await asyncio.gather(*(self._enqueue(job, job.next_run or now, now) for job in due))
        except REDIS_ERRORS:
            for job in starting:
                job.next_run = None
            raise
        for job in worker.cron_jobs:
            if job.next_run is None or _is_due(job, until):
                _plan(job, job.next_run or now, worker.timezone)
        for job in self._late:
            # One run makes up for all that were missed.
            planned.append((job, now))
            _plan(job, now, worker.timezone)
        # Not before: if Redis failed in between, the next tick is still the one that catches up.
        self._late = []
        await self._memory.remember(planned)

    def _correct_plans(self, now: datetime) -> None:
        """Plan all jobs anew if the clock was wrong at the last tick, and so the runs that were planned then."""
        if self._last_tick is not None and self._last_tick - now > _CLOCKS_DIFFER:
            for job in self._worker.cron_jobs:
                _plan(job, now, self._worker.timezone)
        self._last_tick = now

    async def _enqueue(self, job: CronJob, run: datetime, now: datetime) -> None:
        # Workers name a run by its planned instant, so that it is enqueued once.
        job_id = job.job_id or (f"{job.name}:{to_unix_ms(run)}" if job.unique else None)
        await self._worker.pool.enqueue_job(
            job.name,
            _job_id=job_id,
            _queue_name=self._worker.queue_name,
            _defer_until=run if to_unix_ms(run) > to_unix_ms(now) else None,
        )


def cron_plan(job: CronJob, queue_name: str) -> CronPlan:
    """Return what is planned for a cron job, for the heartbeat of its worker."""
    next_run = None if job.next_run is None else job.next_run.astimezone(UTC)
    return CronPlan(name=job.name, queue=queue_name, next_run=next_run, job_id=job.job_id or "")


def _plan(job: CronJob, after: datetime, zone: tzinfo | None) -> datetime:
    """Set the job's next run, in `zone`, to the first one later than `after`; return it in UTC.

    Raises `ConfigurationError` for a schedule that never matches, such as 30 February.
    """
    try:
        run = next_run(job, after, zone or UTC)
    except OverflowError:
        raise ConfigurationError(
            f"the cron job {job.name!r} never runs: no date has its month, day and weekday; correct its schedule"
        ) from None
    job.next_run = run.astimezone(zone)
    return run


def _is_due(job: CronJob, until: datetime) -> bool:
    return job.next_run is not None and job.next_run.astimezone(UTC) < until.astimezone(UTC)


def _instant(stored: bytes | None, now: datetime) -> datetime | None:
    # A value that is not a number was not written by this worker; ignore it.
    if stored is None or not stored.isdigit():
        return None
    try:
        instant = datetime.fromtimestamp(int(stored) / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        # Beyond what a `datetime` can hold.
        return None
    return instant if instant - now < _CLOCKS_DIFFER else None
