"""What each worker says of itself every second or two, and reading it back."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from worker.queue import keys

if TYPE_CHECKING:
    from redis.asyncio import Redis

HEARTBEAT_INTERVAL_S = 1.0
STALE_AFTER_S = 4.0
"""A worker that has said nothing for this long is not counted as ready."""
_FORGET_AFTER_S = 3_600.0


class Heartbeat(BaseModel):
    """One worker's word: whether it takes work, and what it has done since it started."""

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
    """By Redis's clock."""

    def age_s(self, now: datetime) -> float:
        """Seconds since this was said, `now` being Redis's time."""
        return (now - self.at).total_seconds()


async def redis_time(redis: "Redis[bytes]") -> datetime:
    """Return Redis's own time."""
    seconds, microseconds = await redis.time()
    return datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)


async def beat(redis: "Redis[bytes]", heartbeat: Heartbeat) -> None:
    """Write one worker's heartbeat, and forget workers that have been silent for an hour."""
    await redis.hset(keys.WORKERS, heartbeat.worker, heartbeat.model_dump_json())
    for old in await read_heartbeats(redis):
        if old.age_s(heartbeat.at) > _FORGET_AFTER_S:
            await redis.hdel(keys.WORKERS, old.worker)


async def read_heartbeats(redis: "Redis[bytes]") -> list[Heartbeat]:
    """Return what every worker said last, silent ones included."""
    said = await redis.hgetall(keys.WORKERS)
    heartbeats = []
    for data in said.values():
        try:
            heartbeats.append(Heartbeat.model_validate_json(data))
        except ValidationError:
            # Written by a worker of another version; it is not ours to judge.
            continue
    return sorted(heartbeats, key=lambda heartbeat: heartbeat.started_at)


async def ready_workers(redis: "Redis[bytes]") -> list[Heartbeat]:
    """Return the workers that said within the last seconds that they take work."""
    now, said = await asyncio.gather(redis_time(redis), read_heartbeats(redis))
    return [heartbeat for heartbeat in said if heartbeat.ready and heartbeat.age_s(now) <= STALE_AFTER_S]
