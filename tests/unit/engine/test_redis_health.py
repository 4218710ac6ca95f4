import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, ResponseError

from tests.support.captured_lines import capture_logs
from tests.support.logged_events import logged_events
from worker.engine.redis_health import RedisHealth


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []

    async def record(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", record)
    return slept


class Clock:
    """A clock that the test sets, in seconds."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_loss_and_return_of_redis_are_logged_once_each(delays: list[float]) -> None:
    clock = Clock()
    redis = RedisHealth(logged_events(), clock)
    with capture_logs() as logs:
        redis.answered()
        await redis.failed(RedisConnectionError("x"))
        await redis.failed(RedisConnectionError("x"))
        seen = [redis.is_up]
        redis.answered()
        redis.answered()
        seen.append(redis.is_up)
        clock.now += 1
        await redis.failed(RedisConnectionError("x"))

    assert seen == [False, True]
    assert [entry["action"] for entry in logs] == ["redis_lost", "redis_back", "redis_lost"]
    assert logs[1]["failed_calls"] == 2


async def test_a_redis_that_refuses_some_calls_is_logged_once_a_second(delays: list[float]) -> None:
    clock = Clock()
    redis = RedisHealth(logged_events(), clock)
    seen = []
    with capture_logs() as logs:
        for _ in range(39):
            await redis.failed(RedisConnectionError("max number of clients reached"))
            seen.append(redis.is_up)
            redis.answered()
            seen.append(redis.is_up)
            clock.now += 0.125

    assert [entry["action"] for entry in logs] == ["redis_lost", "redis_back"] * 5
    assert seen == [False, True] * 39


async def test_a_loss_soon_after_another_is_logged_if_it_lasts(delays: list[float]) -> None:
    clock = Clock()
    redis = RedisHealth(logged_events(), clock)
    with capture_logs() as logs:
        await redis.failed(RedisConnectionError("x"))
        redis.answered()
        clock.now += 0.5
        await redis.failed(RedisConnectionError("x"))
        before = len(logs)
        clock.now += 0.5
        await redis.failed(RedisConnectionError("x"))
        redis.answered()

    assert before == 2
    assert [entry["action"] for entry in logs[2:]] == ["redis_lost", "redis_back"]


async def test_a_loss_for_another_reason_is_logged_at_once(delays: list[float]) -> None:
    redis = RedisHealth(logged_events(), Clock())
    with capture_logs() as logs:
        for code in ("OOM", "OOM", "MISCONF", "OOM"):
            await redis.failed(ResponseError(f"{code} command not allowed"))
            redis.answered()

    assert [entry.get("code") for entry in logs if entry["action"] == "redis_lost"] == ["OOM", "MISCONF"]
    assert not any(entry["action"] == "redis_back" and entry["failed_calls"] != 1 for entry in logs)


async def test_each_error_code_is_logged_once(delays: list[float]) -> None:
    redis = RedisHealth(logged_events())
    with capture_logs() as logs:
        for _ in range(2):
            await redis.failed(ResponseError("UNBLOCKED force unblock from blocking operation"))
            await redis.failed(ReadOnlyError("You can't write against a read only replica."))
            await redis.failed(RedisConnectionError("x"))

    assert [entry["code"] for entry in logs] == ["UNBLOCKED", "READONLY"]


async def test_delays_grow_to_a_second_with_jitter_and_reset_after_an_answer(
    delays: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.backoff.random.random", lambda: 1.0)
    redis = RedisHealth(logged_events())
    for _ in range(40):
        await redis.failed(OSError())
    redis.answered()
    await redis.failed(OSError())

    assert delays[:6] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0]
    assert set(delays[5:40]) == {1.0}
    assert delays[40] == 0.05


async def test_delays_are_jittered(delays: list[float]) -> None:
    for _ in range(50):
        await RedisHealth(logged_events()).failed(OSError())

    assert len(set(delays)) > 10
    assert all(0.025 <= delay <= 0.05 for delay in delays)


async def test_the_log_shows_no_arguments(delays: list[float]) -> None:
    with capture_logs() as logs:
        await RedisHealth(logged_events()).failed(ResponseError("MISCONF secret argument"))
        await RedisHealth(logged_events()).failed(
            ResponseError("unknown command 'SECRET', with args beginning with: 'secret'")
        )

    assert [entry["code"] for entry in logs] == ["MISCONF", ""]
    assert "secret" not in str(logs).lower()


async def test_a_key_of_another_type_is_no_loss_of_redis(delays: list[float]) -> None:
    redis = RedisHealth(logged_events())
    with capture_logs() as logs:
        await redis.failed(ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"))
        await redis.failed(ResponseError("Error running script: @user_script:9: -WRONGTYPE Operation"))
        redis.answered()

    assert (redis.is_up, logs, len(delays)) == (True, [], 2)


async def test_delays_reset_after_an_answer_although_redis_was_never_lost(
    delays: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.backoff.random.random", lambda: 1.0)
    redis = RedisHealth(logged_events())
    for _ in range(2):
        await redis.failed(ResponseError("WRONGTYPE Operation against a key"))
        redis.answered()

    assert delays == [0.05, 0.05]


async def test_each_code_is_logged_once_for_each_loss(delays: list[float]) -> None:
    clock = Clock()
    redis = RedisHealth(logged_events(), clock)
    with capture_logs() as logs:
        await redis.failed(ResponseError("OOM command not allowed"))
        redis.answered()
        clock.now += 2
        await redis.failed(RedisConnectionError("x"))
        await redis.failed(ResponseError("OOM command not allowed"))

    assert [entry["code"] for entry in logs if entry["action"] == "redis_lost"] == ["OOM", "", "OOM"]
