"""What operators did is moved again and again, whatever fails, and the first failure in a row is reported."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.support.waiting import until
from worker.contract.actions import Action
from worker.errors import OutageError
from worker.monitoring import action_mover
from worker.monitoring.action_mover import keep_moving_actions
from worker.queue import keys

ACTION = Action(actor="ops@vm", act="pause", target="queue", ids=("arq:queue",))


async def test_it_outlives_both_stores_and_reports_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[tuple[str, str]] = []

    class Log:
        def warning(self, message: str, *, action: str, error: str) -> None:
            reports.append((action, error))

    # Other tests of the process may have configured where lines go.
    monkeypatch.setattr(action_mover, "_log", Log())
    monkeypatch.setattr(action_mover, "_EVERY_S", 0.001)
    stored: list[Action] = []
    failures: list[Exception | None] = [OutageError("MongoDB is unavailable")] * 3
    failures += [
        RedisConnectionError("gone"),
        OutageError("MongoDB is unavailable"),
        None,
        OutageError("again"),
        None,
    ]

    class Redis:
        async def hlen(self, key: str) -> int:
            assert key == keys.ACTIONS
            return 1

        async def hgetall(self, key: str) -> dict[bytes, bytes]:
            return {ACTION.id.encode(): ACTION.model_dump_json().encode()}

        async def hdel(self, key: str, *ids: str) -> None:
            assert ids == (ACTION.id,)

    async def store(actions: Sequence[Action]) -> None:
        failure = failures.pop(0) if failures else None
        if failure is not None:
            raise failure
        stored.extend(actions)

    redis: Any = Redis()
    task = asyncio.create_task(keep_moving_actions(redis, store))
    await until(lambda: len(stored) >= 3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert stored[0] == ACTION
    assert reports == [("actions_wait", "MongoDB is unavailable"), ("actions_wait", "again")]
