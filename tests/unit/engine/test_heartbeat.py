from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.utils import timestamp_ms

from tests.unit.engine.conftest import WORKER_ID
from worker.engine.context import EngineContext
from worker.engine.heartbeat import HeartbeatWriter, UnknownFunctions
from worker.queue import keys
from worker.queue.heartbeats import Heartbeat, read_heartbeats

REDIS_TIME = datetime(2024, 5, 6, 7, 8, 9, 250_000, UTC)


class Stage:
    """A writer of heartbeats whose worker is described by the test."""

    def __init__(self, context: EngineContext) -> None:
        self.unknown = UnknownFunctions()
        self.why_not = ""
        self.held: list[str] = []
        self.now = REDIS_TIME
        self.health_records = 0
        self.writer = HeartbeatWriter(context, self.unknown, self._describe, self._record_health)

    def _describe(self, redis_time: datetime) -> Heartbeat:
        return Heartbeat(
            worker=WORKER_ID,
            host="host",
            pid=1,
            ready=not self.why_not,
            why_not=self.why_not,
            held=self.held,
            queues=["queue"],
            slots=10,
            running=1,
            complete=2,
            retried=3,
            failed=4,
            started_at=REDIS_TIME,
            at=redis_time,
        )

    async def _record_health(self) -> None:
        self.health_records += 1

    def meet(self, *functions: str) -> None:
        for function in functions:
            self.unknown.add(function)


@pytest.fixture
def stage(context: EngineContext, monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage(context)

    async def now() -> tuple[int, int]:
        return int(stage.now.timestamp()), stage.now.microsecond

    monkeypatch.setattr(context.redis, "time", now)
    return stage


async def unknown_functions(redis: ArqRedis) -> dict[str, float]:
    found: list[tuple[Any, float]] = await redis.zrange(keys.UNKNOWN, 0, -1, withscores=True)
    return {name.decode(): score for name, score in found}


async def test_a_heartbeat_says_since_when_its_reasons_stand(stage: Stage, redis: ArqRedis) -> None:
    reasons: list[tuple[str, list[str]]] = [
        ("", []),
        ("stopping", ["geocode: geocoder is unavailable"]),
        ("stopping", ["geocode: geocoder is unavailable", "register: refused"]),
        ("", ["register: refused"]),
        ("stopping", []),
    ]
    found: list[dict[str, int]] = []
    for second, (stage.why_not, stage.held) in enumerate(reasons):
        stage.now = REDIS_TIME + timedelta(seconds=second)
        await stage.writer.beat()
        (heartbeat,) = await read_heartbeats(redis)
        found.append({reason: (at - REDIS_TIME).seconds for reason, at in heartbeat.since.items()})

    assert found == [
        {},
        {"stopping": 1, "geocode: geocoder is unavailable": 1},
        {"stopping": 1, "geocode: geocoder is unavailable": 1, "register: refused": 2},
        {"register: refused": 2},
        {"stopping": 4},
    ]


async def test_a_heartbeat_is_written_with_the_time_of_redis(stage: Stage, redis: ArqRedis) -> None:
    await stage.writer.beat()

    (heartbeat,) = await read_heartbeats(redis)
    assert (heartbeat.worker, heartbeat.at, heartbeat.ready) == (WORKER_ID, REDIS_TIME, True)


async def test_a_worker_that_is_ready_writes_the_key_of_arqs_check(stage: Stage) -> None:
    await stage.writer.beat()
    await stage.writer.beat()
    assert stage.health_records == 2


async def test_a_worker_that_takes_no_jobs_lets_the_key_of_arqs_check_expire(stage: Stage, redis: ArqRedis) -> None:
    stage.why_not = "stopping"
    await stage.writer.beat()

    (heartbeat,) = await read_heartbeats(redis)
    assert (heartbeat.ready, heartbeat.why_not) == (False, "stopping")
    assert stage.health_records == 0


async def test_names_of_unknown_functions_are_written_with_the_time_they_were_met(
    stage: Stage, redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.engine.heartbeat.timestamp_ms", lambda: 1_000)
    stage.meet("new_job", "newer_job", "new_job")
    await stage.writer.beat()
    assert await unknown_functions(redis) == {"new_job": 1_000, "newer_job": 1_000}

    monkeypatch.setattr("worker.engine.heartbeat.timestamp_ms", lambda: 2_000)
    stage.meet("new_job")
    await stage.writer.beat()
    assert await unknown_functions(redis) == {"new_job": 2_000, "newer_job": 1_000}


async def test_nothing_is_written_about_functions_if_all_are_known(stage: Stage, redis: ArqRedis) -> None:
    await stage.writer.beat()
    assert not await redis.exists(keys.UNKNOWN)


async def test_the_latest_hundred_names_are_kept(stage: Stage, redis: ArqRedis) -> None:
    # More than the rank that is removed, so that a wrong end of the range shows.
    earlier = {f"earlier_{number:03}": float(number) for number in range(150)}
    await redis.zadd(keys.UNKNOWN, earlier)
    stage.meet("latest")
    before = timestamp_ms()
    await stage.writer.beat()

    found = await unknown_functions(redis)
    assert set(found) == {"latest", *(name for name, score in earlier.items() if score >= 51)}
    assert found["latest"] >= before


def test_names_are_taken_once() -> None:
    unknown = UnknownFunctions()
    unknown.add("new_job")

    assert unknown.take() == ["new_job"]
    assert unknown.take() == []


def test_neither_number_nor_length_of_invented_names_is_trusted() -> None:
    unknown = UnknownFunctions()
    for number in range(150):
        unknown.add(f"{number:03}" + "x" * 10_000)

    names = unknown.take()
    assert len(names) == len(set(names)) == 100
    assert {len(name) for name in names} == {200}
    assert unknown.take() == []
