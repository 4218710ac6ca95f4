"""How a worker waits for its claimer when it stops."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from worker.engine import shutdown
from worker.engine.events import Events
from worker.engine.shutdown import Shutdown


def stopping_with(claiming: "asyncio.Task[Any]", stopping: asyncio.Event, *side: "asyncio.Task[Any]") -> Shutdown:
    slots: Any = SimpleNamespace(failed=asyncio.get_running_loop().create_future(), tasks={})
    return Shutdown(slots, Events(), claiming, list(side), stopping=stopping, hurry=asyncio.Event(), grace_s=5)


async def turns() -> None:
    """Let every task go on until it waits for something that is not there."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_claim_that_hangs_delays_a_stop_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutdown, "_LAST_CLAIM_S", 0.01)
    hangs, stopping = asyncio.create_task(asyncio.Event().wait()), asyncio.Event()
    waiting = asyncio.create_task(stopping_with(hangs, stopping).wait())
    await turns()
    assert not waiting.done()
    stopping.set()
    await asyncio.wait_for(waiting, 5)
    assert not hangs.done()
    hangs.cancel()


async def test_a_claim_that_is_on_its_way_may_come_back() -> None:
    answered, stopping = asyncio.Event(), asyncio.Event()
    claiming = asyncio.create_task(answered.wait())
    stopping.set()
    waiting = asyncio.create_task(stopping_with(claiming, stopping).wait())
    await turns()
    assert not waiting.done()
    answered.set()
    await asyncio.wait_for(waiting, 0.5)
    assert claiming.done()


@pytest.mark.parametrize("failing", ["claimer", "beside"])
async def test_what_ends_the_claimer_or_a_task_beside_it_is_raised(failing: str) -> None:
    async def fails() -> None:
        raise OSError("gone")

    broken = asyncio.create_task(fails())
    waits = asyncio.create_task(asyncio.Event().wait())
    claiming: asyncio.Task[Any]
    beside: asyncio.Task[Any]
    claiming, beside = (broken, waits) if failing == "claimer" else (waits, broken)
    with pytest.raises(OSError, match="gone"):
        await asyncio.wait_for(stopping_with(claiming, asyncio.Event(), beside).wait(), 5)
    waits.cancel()
