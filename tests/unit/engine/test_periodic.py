import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.unit.engine.conftest import NotedHealth, with_replaced
from worker.engine import periodic
from worker.engine.periodic import every


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses of a loop, none of which takes any time; the fourth ends the loop."""
    found: list[float] = []

    async def note(seconds: float) -> None:
        found.append(seconds)
        if len(found) == 4:
            raise asyncio.CancelledError

    monkeypatch.setattr(periodic, "asyncio", with_replaced(asyncio, sleep=note))
    return found


async def test_a_step_is_taken_over_and_over(pauses: list[float], health: NotedHealth) -> None:
    steps = []

    async def step() -> None:
        steps.append(len(pauses))

    with pytest.raises(asyncio.CancelledError):
        await every(10, health, step)

    assert steps == [0, 1, 2, 3]
    assert health.failures == []


@pytest.mark.parametrize(("drawn", "seconds"), [(0, 9.0), (500, 10.0), (999, 10.998)])
async def test_a_pause_is_spread_by_a_tenth(
    pauses: list[float], health: NotedHealth, monkeypatch: pytest.MonkeyPatch, drawn: int, seconds: float
) -> None:
    monkeypatch.setattr("worker.engine.periodic.secrets.randbelow", lambda limit: drawn * limit // 1000)

    async def step() -> None: ...

    with pytest.raises(asyncio.CancelledError):
        await every(10, health, step)

    assert pauses == pytest.approx([seconds] * 4)


@pytest.mark.parametrize("error", [RedisConnectionError("gone"), OSError("gone"), TimeoutError()], ids=repr)
async def test_the_loop_outlives_a_step_that_redis_does_not_answer(
    pauses: list[float], health: NotedHealth, error: Exception
) -> None:
    steps = []

    async def step() -> None:
        steps.append(len(pauses))
        if len(steps) == 2:
            raise error

    with pytest.raises(asyncio.CancelledError):
        await every(10, health, step)

    assert steps == [0, 1, 2, 3]
    assert health.failures == [error]


async def test_a_defect_in_a_step_ends_the_loop(pauses: list[float], health: NotedHealth) -> None:
    async def step() -> None:
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        await every(10, health, step)
    assert (pauses, health.failures) == ([], [])
