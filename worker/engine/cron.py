"""Remembers when cron jobs ran last, so that a run missed while no worker was up is caught up, once."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

import structlog
from arq.cron import CronJob
from arq.utils import to_unix_ms

from worker.queue import keys

if TYPE_CHECKING:
    from arq.connections import ArqRedis

_log = structlog.stdlib.get_logger(__name__)


class CronMemory:
    """The last planned run of each cron job of one queue, in Redis."""

    def __init__(self, redis: "ArqRedis", queue_name: str) -> None:
        self._redis = redis
        self._key = queue_name + keys.CRON_SUFFIX

    async def catch_up(self, cron_jobs: Sequence[CronJob], now: datetime) -> list[CronJob]:
        """Make each job that missed runs since its last remembered one due, and return those jobs.

        However many runs were missed, the first of them is made up for: its planned time names the job, so that
        workers which start together enqueue it once. A job never seen before has missed nothing.
        """
        late = []
        for job in cron_jobs:
            last = _instant(await self._redis.hget(self._key, job.name), now.tzinfo)
            if last is None or not job.unique:
                continue
            job.calculate_next(last)
            if job.next_run is not None and job.next_run < now:
                _log.info("cron run was missed; caught up now", action="cron_caught_up", job=job.name)
                late.append(job)
            else:
                job.next_run = None
        return late

    async def skip_enqueued(self, cron_jobs: Sequence[CronJob], until: datetime) -> None:
        """Move each job that is due before `until` on to the first run that no worker is known to have enqueued.

        A worker whose clock is late comes to a run when it may have ended and left no trace but this one.
        """
        due = [job for job in cron_jobs if job.unique and job.next_run is not None and job.next_run < until]
        if not due:
            return
        for job, last_ms in zip(due, await self._redis.hmget(self._key, [job.name for job in due]), strict=True):
            last = _instant(last_ms, until.tzinfo)
            # What is remembered is of whole milliseconds.
            if last is not None and job.next_run is not None and to_unix_ms(job.next_run) <= to_unix_ms(last):
                job.calculate_next(last)

    async def remember(self, cron_jobs: Sequence[CronJob], planned: dict[str, datetime | None]) -> None:
        """Note the runs that were enqueued; `planned` holds each job's next run from before the enqueuing."""
        for job in cron_jobs:
            run = planned.get(job.name)
            if run is not None and job.next_run is not None and job.next_run > run:
                await self._redis.hset(self._key, job.name, to_unix_ms(run))


def _instant(stored: bytes | None, zone: tzinfo | None) -> datetime | None:
    # What is no number was not written here, and tells of no run.
    if stored is None or not stored.isdigit():
        return None
    try:
        return datetime.fromtimestamp(int(stored) / 1000, zone)
    except (OverflowError, ValueError, OSError):
        # Beyond what a clock can tell.
        return None
