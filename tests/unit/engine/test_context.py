import dataclasses

import pytest

from tests.unit.engine.conftest import stop_all
from worker.engine import completer
from worker.engine.context import EngineContext
from worker.queue.completion import Completion

STOPPING, OPEN, CONGESTED = "stopping", "MongoDB is unavailable", "storing of completions has fallen behind"


def fall_behind(context: EngineContext) -> None:
    for number in range(4):
        context.completer.submit(Completion(b"%d" % number, "queue", "token", "done"))


@pytest.fixture(autouse=True)
def small_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completer, "_HIGH_MARK", 3)


async def test_a_worker_is_ready_unless_something_keeps_it_from_claiming(context: EngineContext) -> None:
    assert context.why_not_ready() == ""


async def test_a_worker_that_stops_is_not_ready(context: EngineContext) -> None:
    context.stopping.set()
    assert context.why_not_ready() == STOPPING


async def test_a_worker_without_mongodb_is_not_ready(context: EngineContext) -> None:
    stop_all(context.breaker)
    assert context.why_not_ready() == OPEN


async def test_a_worker_whose_completions_pile_up_is_not_ready(context: EngineContext) -> None:
    fall_behind(context)
    assert context.why_not_ready() == CONGESTED


async def test_the_gravest_reason_comes_first(context: EngineContext) -> None:
    fall_behind(context)
    stop_all(context.breaker)
    assert context.why_not_ready() == OPEN
    context.stopping.set()
    assert context.why_not_ready() == STOPPING


async def test_a_context_is_never_changed_once_made(context: EngineContext) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        context.lease_s = 1  # type: ignore[misc]
