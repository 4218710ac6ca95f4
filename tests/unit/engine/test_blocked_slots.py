import dataclasses
from typing import Any

import pytest

from tests.unit.engine.conftest import KeptEvents
from worker.engine.blocked_slots import BlockedSlots, WorkerBlocked
from worker.engine.context import EngineContext
from worker.engine.events import SlotsBlocked


class Counted:
    """Slots in which so many jobs ignore their cancellation."""

    def __init__(self) -> None:
        self.ignoring = self.found = 0

    def look_for_ignored(self) -> None:
        self.ignoring = self.found


class NotedExit:
    def __init__(self) -> None:
        self.codes: list[int] = []

    def stopping(self, code: int) -> None:
        self.codes.append(code)


@pytest.mark.parametrize(("number", "slots"), [(5, 10), (10, 10), (1, 1), (1, 2), (2, 3)])
async def test_a_worker_whose_slots_are_blocked_by_half_stops_and_fails(
    context: EngineContext, events: KeptEvents, number: int, slots: int
) -> None:
    context = dataclasses.replace(context, slots=slots)
    counted: Any = Counted()
    process_exit: Any = NotedExit()
    blocked = BlockedSlots(context, counted, process_exit)
    counted.found = (slots - 1) // 2
    await blocked.check()
    blocked.raise_if_blocked()
    assert not context.stopping.is_set()

    counted.found = number
    for _ in range(2):
        await blocked.check()

    assert context.stopping.is_set()
    assert context.wake.is_set()
    assert process_exit.codes == [1]
    assert events.sent == [SlotsBlocked(number, slots)]
    with pytest.raises(WorkerBlocked, match=f"{number} of {slots} slots hold jobs that ignore cancellation"):
        blocked.raise_if_blocked()


async def test_a_worker_that_stops_anyway_does_not_fail(context: EngineContext, events: KeptEvents) -> None:
    counted: Any = Counted()
    counted.found = 10
    context.stopping.set()
    blocked = BlockedSlots(context, counted, None)

    await blocked.check()

    blocked.raise_if_blocked()
    assert counted.ignoring == 10
    assert events.sent == []
