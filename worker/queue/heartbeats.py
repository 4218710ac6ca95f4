"""The heartbeats of workers: what each one writes about itself every second, and how it is read."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError, model_validator

from worker.queue import keys

if TYPE_CHECKING:
    from redis.asyncio import Redis

HEARTBEAT_INTERVAL_S = 1.0
STALE_AFTER_S = 4.0
"""A worker whose heartbeat is older than this does not count as ready."""
_FORGET_AFTER_MS = 3_600_000
_FORGOTTEN_AT_ONCE = 100


class CronPlan(BaseModel):
    """What a worker plans for one of its cron jobs, whose name is that of its function.

    `next_run` is `None` until the worker has planned one. `job_id` is the id that all runs share; empty if each run
    has its own.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    queue: str
    next_run: AwareDatetime | None = None
    job_id: str = ""


class OutboxState(BaseModel):
    """What the worker that empties the outbox has found there.

    `jobs` are those that are not known to have ended. `skipped` cannot be enqueued, and the later jobs of their
    hospitals wait for them. `unreadable` is how many documents are not jobs.
    """

    model_config = ConfigDict(frozen=True)

    jobs: int
    oldest_due: AwareDatetime | None = None
    skipped: int = 0
    unreadable: int = 0

    def age_s(self, now_ms: float) -> float:
        """Return for how many seconds the oldest due job has been due; 0 if none is."""
        return max(0.0, now_ms / 1000 - self.oldest_due.timestamp()) if self.oldest_due is not None else 0.0

    def as_json(self, now_ms: float) -> dict[str, Any]:
        """Return the same with plain values, and the age of the oldest due job."""
        return {**self.model_dump(mode="json"), "oldest_due_age_s": round(self.age_s(now_ms), 1)}


class Heartbeat(BaseModel):
    """Whether one worker is ready for work, and what it has done since it started."""

    model_config = ConfigDict(frozen=True)

    worker: str
    host: str
    pid: int
    ready: bool
    why_not: str = ""
    queues: list[str]
    rate_limits: dict[str, float] = {}
    """How many jobs per second it lets all workers start of a queue; earlier versions have no such limits."""
    functions: list[str] = []
    """The functions that it has; empty in earlier versions, which do not say."""
    cron_jobs: list[CronPlan] = []
    """Its cron jobs; empty in earlier versions, which do not say."""
    slots: int
    running: int
    ignoring: int = 0
    """Running jobs that were cancelled long ago."""
    held: list[str] = []
    """Functions whose jobs wait, each with the reason; those of others run."""
    paused: list[str] | None = None
    """What its last claim found paused: `queue:NAME`, `function:NAME`; `None` in versions that ignore pauses."""
    since: dict[str, AwareDatetime] = {}
    """When `why_not` and each entry of `held` were first written, by Redis's clock; empty in earlier versions."""
    complete: int
    retried: int
    failed: int
    version: str = ""
    """The version of the program; this and what follows is not known of earlier versions."""
    longest_run_s: dict[str, float] = {}
    """For each queue of which jobs run, how many seconds the oldest of them has run."""
    loop_delay_s: float | None = None
    """By how many seconds the event loop was late at most since the heartbeat before."""
    mongodb_connections: int | None = None
    """Connections to MongoDB that are in use, of at most `mongodb_pool` to each server."""
    mongodb_pool: int | None = None
    redis_connections: int | None = None
    """Connections to Redis that are in use, of at most `redis_pool`."""
    redis_pool: int | None = None
    outbox: OutboxState | None = None
    """Of the one worker that empties the outbox."""
    started_at: AwareDatetime
    at: AwareDatetime
    """When this was written, by Redis's clock."""

    @model_validator(mode="before")
    @classmethod
    def _accept_former_name(cls, stored: Any) -> Any:
        # Earlier versions named their queues `lanes`; during a rolling upgrade their workers must be seen.
        if isinstance(stored, dict) and "queues" not in stored and "lanes" in stored:
            return {"queues": stored["lanes"], **stored}
        return stored

    def age_s(self, now: datetime) -> float:
        """Seconds between `now`, Redis's time, and when this was written.

        If that is in the future, Redis's clock was set back since, and a living worker has not written yet.
        """
        return abs((now - self.at).total_seconds())

    def state(self, age_s: float) -> str:
        """Return in words whether the worker is ready, this heartbeat being `age_s` seconds old."""
        if age_s > STALE_AFTER_S:
            return f"no heartbeat for {age_s:.0f} s"
        return "ready" if self.ready else f"not ready: {self.why_not}"


async def redis_time(redis: "Redis[bytes]") -> datetime:
    """Return Redis's own time."""
    seconds, microseconds = await redis.time()
    return datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)


async def write_heartbeat(redis: "Redis[bytes]", heartbeat: Heartbeat) -> None:
    """Write one worker's heartbeat, and remove some of those that are an hour old.

    The cost does not grow with the workers that are gone.
    """
    at_ms = _at_ms(heartbeat)
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hset(keys.WORKERS, heartbeat.worker, heartbeat.model_dump_json())
        pipe.zadd(keys.WORKERS_SEEN, {heartbeat.worker: at_ms})
        pipe.hlen(keys.WORKERS)
        pipe.zcard(keys.WORKERS_SEEN)
        pipe.zrangebyscore(keys.WORKERS_SEEN, "-inf", at_ms - _FORGET_AFTER_MS, start=0, num=_FORGOTTEN_AT_ONCE)
        _, _, written, known, old = await pipe.execute()
    if written > known:
        # Workers of an earlier version do not note when they wrote.
        await redis.zadd(keys.WORKERS_SEEN, dict.fromkeys(await redis.hgetall(keys.WORKERS), at_ms), nx=True)
    if old:
        await _forget(redis, old, at_ms)


async def _forget(redis: "Redis[bytes]", workers: list[bytes], now_ms: float) -> None:
    """Remove these workers, except those of an earlier version that have written since they were noted."""
    written = parse_heartbeats(await redis.hmget(keys.WORKERS, workers))
    alive = {
        found.worker.encode(): at_ms for found in written if (at_ms := _at_ms(found)) > now_ms - _FORGET_AFTER_MS
    }
    if alive:
        await redis.zadd(keys.WORKERS_SEEN, alive)
    if gone := [worker for worker in workers if worker not in alive]:
        await remove_heartbeats(redis, *gone)


async def remove_heartbeats(redis: "Redis[bytes]", *workers: str | bytes) -> None:
    """Remove what is stored of workers that are gone."""
    async with redis.pipeline(transaction=False) as pipe:
        queue_removal(pipe, *workers)
        await pipe.execute()


def queue_removal(pipe: Any, *workers: str | bytes) -> None:
    """Put what `remove_heartbeats` does on a pipeline of either client of redis-py, asynchronous or not."""
    pipe.hdel(keys.WORKERS, *workers)
    pipe.zrem(keys.WORKERS_SEEN, *workers)
    pipe.hdel(keys.CLAIMS, *workers)


async def read_heartbeats(redis: "Redis[bytes]") -> list[Heartbeat]:
    """Return the last heartbeat of every worker, old ones included."""
    heartbeats = parse_heartbeats((await redis.hgetall(keys.WORKERS)).values())
    return sorted(heartbeats, key=lambda heartbeat: heartbeat.started_at)


async def ready_workers(redis: "Redis[bytes]") -> list[Heartbeat]:
    """Return the workers that wrote within the last seconds that they are ready."""
    now, heartbeats = await asyncio.gather(redis_time(redis), read_heartbeats(redis))
    return [heartbeat for heartbeat in heartbeats if heartbeat.ready and heartbeat.age_s(now) <= STALE_AFTER_S]


def outbox_state(workers: Iterable[tuple[Heartbeat, float]]) -> OutboxState | None:
    """Return what is in the outbox, as the latest of these heartbeats says, each given with its age in seconds."""
    told = [(age_s, it.outbox) for it, age_s in workers if it.outbox is not None and age_s <= STALE_AFTER_S]
    return min(told, key=itemgetter(0))[1] if told else None


def _at_ms(heartbeat: Heartbeat) -> float:
    return heartbeat.at.timestamp() * 1000


def parse_heartbeats(stored: Iterable[bytes | None]) -> list[Heartbeat]:
    """Return stored heartbeats, without those that cannot be read."""
    heartbeats = []
    for data in stored:
        if data is None:
            continue
        try:
            heartbeats.append(Heartbeat.model_validate_json(data))
        except ValidationError:
            # Written by a worker of another version, whose fields are not known here.
            continue
    return heartbeats
