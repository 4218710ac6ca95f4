"""Enqueues arq's cron jobs when they are due, and catches up once on runs missed while no worker was up."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from arq.cron import CronJob
from arq.utils import to_unix_ms
from arq.worker import Worker

from worker.engine.context import EngineContext
from worker.engine.events import CronCaughtUp, Events
from worker.queue import keys
from worker.redis.errors import REDIS_ERRORS

if TYPE_CHECKING:
    from arq.connections import ArqRedis


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
            last = _instant(await self._redis.hget(self._key, job.name), now.tzinfo)
            if last is None or not job.unique:
                continue
            job.calculate_next(last)
            if job.next_run is not None and job.next_run < now:
                late.append(job)
            else:
                job.next_run = None
        return late

    async def skip_enqueued(self, cron_jobs: Sequence[CronJob], until: datetime) -> None:
        """Move each job that is due before `until` on to the first run that no worker is known to have enqueued.

        A worker whose clock is late reaches a run that may have ended and left no trace but this one.
        """
        due = [job for job in cron_jobs if job.unique and job.next_run is not None and job.next_run < until]
        if not due:
            return
        for job, last_ms in zip(due, await self._redis.hmget(self._key, [job.name for job in due]), strict=True):
            last = _instant(last_ms, until.tzinfo)
            # The stored instants are whole milliseconds.
            if last is not None and job.next_run is not None and to_unix_ms(job.next_run) <= to_unix_ms(last):
                job.calculate_next(last)

    async def remember(self, cron_jobs: Sequence[CronJob], planned: dict[str, datetime | None]) -> None:
        """Store the runs that were enqueued; `planned` holds each job's next run from before the enqueuing."""
        for job in cron_jobs:
            run = planned.get(job.name)
            if run is not None and job.next_run is not None and job.next_run > run:
                await self._redis.hset(self._key, job.name, to_unix_ms(run))


class CronClock:
    """Drives arq's cron of one worker."""

    def __init__(self, worker: Worker, events: Events) -> None:
        self._worker = worker
        self._events = events
        self._memory = CronMemory(worker.pool, worker.queue_name)
        self._caught_up = False
        self._late: list[CronJob] = []

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
        if not self._caught_up:
            self._late = await self._memory.catch_up(worker.cron_jobs, now)
            for job in self._late:
                self._events.send(CronCaughtUp(job.name))
            self._caught_up = True
        delay_s = max(worker.poll_delay_s, 0.5)
        # arq enqueues what is due within two such delays.
        await self._memory.skip_enqueued(worker.cron_jobs, now + timedelta(seconds=2 * delay_s))
        planned = {job.name: job.next_run for job in worker.cron_jobs}
        try:
            await worker.run_cron(now, delay_s)
        except REDIS_ERRORS:
            # arq has moved on to the next run already; this one is still to be enqueued.
            for job in worker.cron_jobs:
                job.next_run = planned[job.name]
            raise
        for job in self._late:
            # One run makes up for all that were missed.
            planned[job.name] = now
            job.calculate_next(now)
        # Not before: if Redis failed in between, the next tick is still the one that catches up.
        self._late = []
        await self._memory.remember(worker.cron_jobs, planned)


def _instant(stored: bytes | None, zone: tzinfo | None) -> datetime | None:
    # A value that is not a number was not written by this worker; ignore it.
    if stored is None or not stored.isdigit():
        return None
    try:
        return datetime.fromtimestamp(int(stored) / 1000, zone)
    except (OverflowError, ValueError, OSError):
        # Beyond what a `datetime` can hold.
        return None
