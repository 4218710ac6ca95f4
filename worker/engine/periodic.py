"""What a worker does by the clock: says that it lives, looks for requests to abort, and enqueues cron jobs."""

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from arq.cron import CronJob
from arq.utils import timestamp_ms
from arq.worker import Worker

from worker.engine.context import Parts
from worker.engine.cron import CronMemory
from worker.engine.redis_health import REDIS_ERRORS, RedisHealth
from worker.engine.slots import Slots
from worker.queue import keys
from worker.queue.heartbeats import Heartbeat, beat, redis_time

_ABORT_TOMBSTONE_MS = 60_000
_UNKNOWN_KEPT, _LONGEST_NAME = 100, 200


async def every(seconds: float, health: RedisHealth, step: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Take a step over and over, `seconds` apart; a step that Redis does not answer is not the last."""
    while True:
        try:
            await step()
        except REDIS_ERRORS as error:
            await health.failed(error)
        # The spread keeps a fleet that was started at once from asking at once.
        await asyncio.sleep(seconds * (0.9 + 0.2 * secrets.randbelow(1000) / 1000))


class Pulse:
    """The heartbeat of one worker."""

    def __init__(self, host: Worker, parts: Parts, in_hand: Slots) -> None:
        self._host = host
        self._parts = parts
        self._in_hand = in_hand
        self._started_at = datetime.now(UTC)

    async def beat(self) -> None:
        """Write the heartbeat, the functions that nobody knows, and while ready the key of `arq --check`."""
        host, why_not = self._host, self._parts.why_not_ready()
        await beat(
            host.pool,
            Heartbeat(
                worker=self._parts.worker_id,
                host=socket.gethostname(),
                pid=os.getpid(),
                ready=not why_not,
                why_not=why_not,
                queues=list(self._parts.queues),
                slots=host.max_jobs,
                running=len(self._in_hand),
                complete=host.jobs_complete,
                retried=host.jobs_retried,
                failed=host.jobs_failed,
                started_at=self._started_at,
                at=await redis_time(host.pool),
            ),
        )
        if self._in_hand.unknown_functions:
            await self._tell_unknown_functions()
        if not why_not:
            await host.record_health()

    async def _tell_unknown_functions(self) -> None:
        # Whoever can write to Redis makes up names: only the latest are kept, and not at any length.
        names = {name[:_LONGEST_NAME] for name in self._in_hand.unknown_functions}
        self._in_hand.unknown_functions.clear()
        now = timestamp_ms()
        latest = dict.fromkeys(list(names)[:_UNKNOWN_KEPT], now)
        async with self._host.pool.pipeline(transaction=True) as pipe:
            pipe.zadd(keys.UNKNOWN, latest)
            pipe.zremrangebyrank(keys.UNKNOWN, 0, -_UNKNOWN_KEPT - 1)
            await pipe.execute()


class AbortWatch:
    """Interrupts running jobs that somebody asked to abort, and clears away requests that met no job."""

    def __init__(self, host: Worker, in_hand: Slots) -> None:
        self._host = host
        self._in_hand = in_hand

    async def look(self) -> None:
        """Look at all requests once."""
        pool = self._host.pool
        stale_before = timestamp_ms() - _ABORT_TOMBSTONE_MS
        for job_id, asked_ms in await pool.zrange(keys.ABORT, 0, -1, withscores=True):
            running = self._in_hand.get(job_id)
            if running is not None:
                if running.is_meant_by(asked_ms):
                    running.interrupt("abort")
            elif asked_ms < stale_before and not await pool.exists(keys.JOB.encode() + job_id):
                await pool.zrem(keys.ABORT, job_id)


class CronClock:
    """Enqueues arq's cron jobs when they are due, and those that were missed once, at the start."""

    def __init__(self, host: Worker) -> None:
        self._host = host
        self._memory = CronMemory(host.pool, host.queue_name)
        self._caught_up = False

    async def first_tick(self, parts: Parts) -> None:
        """Tick once, however long Redis takes to answer: a burst ends when the queues are empty.

        Returns without a tick if the worker is told to stop.
        """
        while not parts.stopping.is_set():
            try:
                await self.tick()
            except REDIS_ERRORS as error:
                await parts.health.failed(error)
            else:
                break

    async def tick(self) -> None:
        """Enqueue what is due by now."""
        host = self._host
        now = datetime.now(tz=host.timezone)
        late: list[CronJob] = []
        if not self._caught_up:
            late = await self._memory.catch_up(host.cron_jobs, now)
            self._caught_up = True
        delay_s = max(host.poll_delay_s, 0.5)
        # arq enqueues what is due within two such delays.
        await self._memory.skip_enqueued(host.cron_jobs, now + timedelta(seconds=2 * delay_s))
        planned = {job.name: job.next_run for job in host.cron_jobs}
        try:
            await host.run_cron(now, delay_s)
        except REDIS_ERRORS:
            # arq has moved on to the next run already; this one is still owed.
            for job in host.cron_jobs:
                job.next_run = planned[job.name]
            raise
        for job in late:
            # One run makes up for all that were missed.
            planned[job.name] = now
            job.calculate_next(now)
        await self._memory.remember(host.cron_jobs, planned)
