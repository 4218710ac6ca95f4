import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from worker.queue import keys
from worker.queue.heartbeats import (
    STALE_AFTER_S,
    Heartbeat,
    OutboxState,
    outbox_state,
    read_heartbeats,
    ready_workers,
    redis_time,
    remove_heartbeats,
    write_heartbeat,
)

NOW = datetime(2025, 6, 30, 12, tzinfo=UTC)


def heartbeat(worker: str, **fields: Any) -> Heartbeat:
    values: dict[str, Any] = {
        "worker": worker,
        "host": "host",
        "pid": 1,
        "ready": True,
        "queues": ["queue"],
        "slots": 300,
        "running": 0,
        "complete": 0,
        "retried": 0,
        "failed": 0,
        "started_at": NOW,
        "at": NOW,
    }
    return Heartbeat.model_validate(values | fields)


async def test_a_heartbeat_is_read_back_as_written(redis: Any) -> None:
    written = heartbeat("one", ready=False, why_not="stopping", running=7, complete=3)

    await write_heartbeat(redis, written)

    assert await read_heartbeats(redis) == [written]


async def test_each_worker_has_one_heartbeat_listed_oldest_first(redis: Any) -> None:
    await write_heartbeat(redis, heartbeat("young", started_at=NOW + timedelta(hours=1)))
    await write_heartbeat(redis, heartbeat("old", complete=1))
    await write_heartbeat(redis, heartbeat("old", complete=2))

    assert [(found.worker, found.complete) for found in await read_heartbeats(redis)] == [("old", 2), ("young", 0)]


async def test_heartbeats_older_than_an_hour_are_removed(redis: Any) -> None:
    await write_heartbeat(redis, heartbeat("removed", at=NOW - timedelta(seconds=3_601)))
    await write_heartbeat(redis, heartbeat("stale", at=NOW - timedelta(seconds=3_599)))
    await write_heartbeat(redis, heartbeat("alive"))

    assert {found.worker for found in await read_heartbeats(redis)} == {"stale", "alive"}


async def test_old_heartbeats_are_removed_a_hundred_at_a_time(redis: Any) -> None:
    for number in range(150):
        await write_heartbeat(redis, heartbeat(f"old {number}", at=NOW - timedelta(hours=2)))
    await redis.hset(keys.CLAIMS, "old 0", 1)

    await write_heartbeat(redis, heartbeat("alive"))
    assert await redis.hlen(keys.WORKERS) == 51
    await write_heartbeat(redis, heartbeat("alive"))

    assert [found.worker for found in await read_heartbeats(redis)] == ["alive"]
    assert await redis.zrange(keys.WORKERS_SEEN, 0, -1) == [b"alive"]
    assert not await redis.exists(keys.CLAIMS)


async def test_heartbeats_that_an_earlier_version_wrote_are_removed_once_they_are_old(redis: Any) -> None:
    later = NOW + timedelta(seconds=3_601)
    for worker, at in (("gone", NOW), ("still alive", later)):
        await redis.hset(keys.WORKERS, worker, heartbeat(worker, at=at).model_dump_json())
    await redis.hset(keys.WORKERS, "unreadable", "{}")

    await write_heartbeat(redis, heartbeat("new", at=NOW))
    assert await redis.hlen(keys.WORKERS) == 4
    await write_heartbeat(redis, heartbeat("new", at=later))

    assert {worker.decode() for worker in await redis.hkeys(keys.WORKERS)} == {"new", "still alive"}


async def test_a_worker_that_signs_off_leaves_nothing_behind(redis: Any) -> None:
    await write_heartbeat(redis, heartbeat("one"))
    await redis.hset(keys.CLAIMS, "one", 1)

    await remove_heartbeats(redis, "one")

    assert not await redis.exists(keys.WORKERS, keys.WORKERS_SEEN, keys.CLAIMS)


async def test_heartbeats_of_another_version_are_skipped_and_kept(redis: Any) -> None:
    naive = NOW.replace(tzinfo=None)
    unreadable: dict[str, str | bytes] = {"other": b'{"v": 2}', "broken": b"\xff"}
    for field in ("at", "started_at"):
        unreadable[field] = heartbeat(field).model_copy(update={field: naive}).model_dump_json()
    await redis.hset(keys.WORKERS, mapping=unreadable)

    await write_heartbeat(redis, heartbeat("one"))

    assert [found.worker for found in await read_heartbeats(redis)] == ["one"]
    assert await redis.hlen(keys.WORKERS) == 5


async def test_only_workers_that_take_jobs_and_have_a_fresh_heartbeat_are_ready(redis: Any) -> None:
    now = await redis_time(redis)
    await write_heartbeat(redis, heartbeat("ready", at=now))
    await write_heartbeat(redis, heartbeat("stopping", at=now, ready=False))
    await write_heartbeat(redis, heartbeat("stale", at=now - timedelta(seconds=STALE_AFTER_S + 1)))

    assert [found.worker for found in await ready_workers(redis)] == ["ready"]


async def test_a_heartbeat_from_before_redis_clock_was_set_back_is_not_fresh(redis: Any) -> None:
    now = await redis_time(redis)
    await write_heartbeat(redis, heartbeat("dead", at=now + timedelta(seconds=120)))
    await write_heartbeat(redis, heartbeat("alive", at=now))

    assert [found.worker for found in await ready_workers(redis)] == ["alive"]


async def test_the_age_of_a_heartbeat_is_in_seconds() -> None:
    assert heartbeat("one").age_s(NOW + timedelta(milliseconds=1_500)) == 1.5


async def test_a_heartbeat_of_an_earlier_version_is_read(redis: Any) -> None:
    stored = heartbeat("old").model_dump(mode="json")
    stored["lanes"] = stored.pop("queues")
    del stored["cron_jobs"]
    await redis.hset(keys.WORKERS, "old", json.dumps(stored))

    assert await read_heartbeats(redis) == [heartbeat("old")]


@pytest.mark.parametrize(
    ("fields", "age_s", "state"),
    [
        ({}, 0.5, "ready"),
        ({"ready": False, "why_not": "stopping"}, STALE_AFTER_S, "not ready: stopping"),
        ({}, 9.2, "no heartbeat for 9 s"),
        ({"ready": False, "why_not": "stopping"}, 9.2, "no heartbeat for 9 s"),
    ],
)
async def test_the_state_of_a_worker_is_told_in_words(fields: dict[str, Any], age_s: float, state: str) -> None:
    assert heartbeat("one", **fields).state(age_s) == state


def test_what_is_in_the_outbox_is_what_the_latest_living_worker_says() -> None:
    silent, told = heartbeat("silent"), heartbeat("told", outbox=OutboxState(jobs=3, oldest_due=NOW))
    before = heartbeat("before", outbox=OutboxState(jobs=9))

    assert outbox_state([(before, 2.5), (silent, 0.1), (told, 0.5)]) == told.outbox
    assert outbox_state([(silent, 0.1), (told, STALE_AFTER_S + 1)]) is None
    assert outbox_state([]) is None


async def test_what_is_in_the_outbox_is_read_back_as_written(redis: Any) -> None:
    written = heartbeat("one", outbox=OutboxState(jobs=3, oldest_due=NOW, skipped=1, unreadable=2))
    await write_heartbeat(redis, written)

    assert await read_heartbeats(redis) == [written]


@pytest.mark.parametrize(
    ("oldest_due", "age_s"), [(None, 0.0), (NOW - timedelta(seconds=34), 34.0), (NOW + timedelta(seconds=5), 0.0)]
)
def test_the_age_of_the_outbox_is_counted_from_the_due_time(oldest_due: datetime | None, age_s: float) -> None:
    state = OutboxState(jobs=1, oldest_due=oldest_due)

    assert state.age_s(NOW.timestamp() * 1000) == age_s
    assert state.as_json(NOW.timestamp() * 1000)["oldest_due_age_s"] == age_s
