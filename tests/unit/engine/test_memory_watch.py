from typing import Any

import pytest
from redis.exceptions import ResponseError

from tests.unit.engine.conftest import KeptEvents
from worker.engine.events import EvictionPolicySeen, MemoryLow
from worker.engine.memory_watch import MemoryWatch


class Memory:
    """A Redis whose memory is as the test says."""

    def __init__(self) -> None:
        self.used, self.limit, self.policy = 0, 100, "noeviction"
        self.refuses = False

    async def info(self, section: str) -> dict[str, Any]:
        assert section == "memory"
        if self.refuses:
            raise ResponseError("NOPERM")
        return {"used_memory": self.used, "maxmemory": self.limit, "maxmemory_policy": self.policy}


@pytest.fixture
def memory() -> Any:
    return Memory()


async def test_short_memory_is_reported_once_until_there_is_room_again(memory: Any, events: KeptEvents) -> None:
    watch = MemoryWatch(memory, events)
    reported = []
    for used in (79, 80, 95, 76, 85, 74, 81):
        memory.used = used
        await watch.look()
        reported.append(len(events.sent))

    assert reported == [0, 1, 1, 1, 1, 1, 2]
    assert events.sent == [MemoryLow(80, 100), MemoryLow(81, 100)]
    assert watch.problem == ""


async def test_memory_without_a_limit_is_never_short(memory: Any, events: KeptEvents) -> None:
    memory.used, memory.limit = 10**12, 0
    await MemoryWatch(memory, events).look()

    assert events.sent == []


async def test_a_policy_that_is_set_later_makes_the_worker_not_ready(memory: Any, events: KeptEvents) -> None:
    watch = MemoryWatch(memory, events)
    problems = []
    for policy in ("noeviction", "allkeys-lru", "allkeys-lru", "noeviction"):
        memory.policy = policy
        await watch.look()
        problems.append(watch.problem)

    assert problems == ["", *["Redis has maxmemory-policy allkeys-lru and may delete jobs"] * 2, ""]
    assert events.sent == [EvictionPolicySeen("allkeys-lru")]


async def test_a_policy_from_before_the_start_is_only_reported(memory: Any, events: KeptEvents) -> None:
    memory.policy = "volatile-lru"
    watch = MemoryWatch(memory, events)
    await watch.look()
    await watch.look()

    assert (watch.problem, events.sent) == ("", [EvictionPolicySeen("volatile-lru")])


async def test_a_user_who_may_not_call_info_sees_nothing(memory: Any, events: KeptEvents) -> None:
    memory.refuses = True
    watch = MemoryWatch(memory, events)
    await watch.look()

    assert (watch.problem, events.sent) == ("", [])
