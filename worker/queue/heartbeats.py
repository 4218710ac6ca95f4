"""The heartbeats of workers: what each one writes about itself every second, and how it is read."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError, model_validator

from worker.queue import keys

if TYPE_CHECKING:
    from redis.asyncio import Redis

HEARTBEAT_INTERVAL_S = 1.0
STALE_AFTER_S = 4.0
"""A worker whose heartbeat is older than this does not count as ready."""
_FORGET_AFTER_S = 3_600.0


class Heartbeat(BaseModel):
    """Whether one worker is ready for work, and what it has done since it started."""

    model_config = ConfigDict(frozen=True)

    worker: str
    host: str
    pid: int
    ready: bool
    why_not: str = ""
    queues: list[str]
    slots: int
    running: int
    complete: int
    retried: int
    failed: int
    started_at: AwareDatetime
    at: AwareDatetime
    """When this was written, by Redis's clock."""

    @model_validator(mode="before")
    @classmethod
    def _accept_lanes(cls, stored: Any) -> Any:
        # Earlier versions named their queues `lanes`; during a rolling upgrade their workers must be seen.
        if isinstance(stored, dict) and "queues" not in stored and "lanes" in stored:
            return {"queues": stored["lanes"], **stored}
        return stored

    def age_s(self, now: datetime) -> float:
        """Seconds since this was written, `now` being Redis's time."""
        return (now - self.at).total_seconds()

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
    """Write one worker's heartbeat, and remove those that are an hour old."""
    await redis.hset(keys.WORKERS, heartbeat.worker, heartbeat.model_dump_json())
    for old in await read_heartbeats(redis):
        if old.age_s(heartbeat.at) > _FORGET_AFTER_S:
            await redis.hdel(keys.WORKERS, old.worker)


async def read_heartbeats(redis: "Redis[bytes]") -> list[Heartbeat]:
    """Return the last heartbeat of every worker, old ones included."""
    stored = await redis.hgetall(keys.WORKERS)
    heartbeats = []
    for data in stored.values():
        try:
            heartbeats.append(Heartbeat.model_validate_json(data))
        except ValidationError:
            # Written by a worker of another version, whose fields are not known here.
            continue
    return sorted(heartbeats, key=lambda heartbeat: heartbeat.started_at)


async def ready_workers(redis: "Redis[bytes]") -> list[Heartbeat]:
    """Return the workers that wrote within the last seconds that they are ready."""
    now, heartbeats = await asyncio.gather(redis_time(redis), read_heartbeats(redis))
    return [heartbeat for heartbeat in heartbeats if heartbeat.ready and heartbeat.age_s(now) <= STALE_AFTER_S]
