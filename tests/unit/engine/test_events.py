import inspect
import logging
import threading

import pytest

from tests.unit.engine.conftest import finished
from worker.engine import events as events_module
from worker.engine.events import BreakerChanged, ClaimRecovered, CronCaughtUp, Events, JobStarted, TryEnded

KINDS = [
    kind
    for _, kind in inspect.getmembers(events_module, inspect.isclass)
    if kind.__module__ == events_module.__name__ and kind is not Events
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_listener_can_change_an_event_for_the_next_one(kind: type) -> None:
    facts = list(kind.__annotations__)
    event = kind(*facts)

    assert [getattr(event, name) for name in facts] == facts
    for name in facts:
        # A frozen dataclass raises a subclass of it.
        with pytest.raises(AttributeError):
            setattr(event, name, "changed")
    assert not hasattr(event, "__dict__")


def test_the_event_of_a_success_has_neither_error_nor_delay() -> None:
    event = finished()
    assert (event.error_class, event.message, event.reason, event.delay_s) == ("", "", "", 0)


def test_an_event_reaches_the_listeners_of_its_class_in_their_order() -> None:
    events = Events()
    heard: list[tuple[str, object]] = []
    events.subscribe(BreakerChanged, lambda event: heard.append(("first", event)))
    events.subscribe(ClaimRecovered, lambda event: heard.append(("other", event)))
    events.subscribe(BreakerChanged, lambda event: heard.append(("second", event)))
    sent = BreakerChanged(True, "x")
    events.send(sent)

    assert heard == [("first", sent), ("second", sent)]
    assert heard[0][1] is sent


def test_an_event_without_a_listener_is_no_error() -> None:
    events = Events()
    heard: list[object] = []
    events.subscribe(ClaimRecovered, heard.append)
    events.send(BreakerChanged(False, "x"))

    assert heard == []


def test_events_of_equal_fields_are_told_apart_by_their_class() -> None:
    events = Events()
    heard: list[object] = []
    events.subscribe(JobStarted, heard.append)
    # Named tuples with the same values are equal.
    events.send(finished())

    assert heard == []


def test_only_what_somebody_listens_to_is_wanted() -> None:
    events = Events()
    assert not events.wants(TryEnded)
    events.subscribe(TryEnded, lambda event: None)

    assert events.wants(TryEnded)
    assert not events.wants(JobStarted)


def test_a_listener_that_raises_reaches_neither_the_engine_nor_the_other_listeners(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events = Events()
    heard: list[str] = []

    def broken(event: ClaimRecovered) -> None:
        heard.append("broken")
        raise ValueError("a defect of a listener")

    events.subscribe(ClaimRecovered, lambda event: heard.append("before"))
    events.subscribe(ClaimRecovered, broken)
    events.subscribe(ClaimRecovered, lambda event: heard.append("after"))
    with caplog.at_level(logging.ERROR):
        events.send(ClaimRecovered(1))
        events.send(ClaimRecovered(2))

    assert heard == ["before", "broken", "after"] * 2
    first, second = caplog.records
    assert first.getMessage() == second.getMessage() == "a listener failed on ClaimRecovered"
    assert first.exc_info is not None
    assert "a defect of a listener" in str(first.exc_info[1])


def test_an_event_that_is_sent_aside_holds_up_nobody() -> None:
    events, may_end = Events(), threading.Event()
    seen: list[object] = []

    def listen(event: CronCaughtUp) -> None:
        may_end.wait(10)
        seen.append(event)

    events.subscribe(CronCaughtUp, listen)
    wait = events.send_aside(CronCaughtUp("nightly"))
    wait(0.001)
    assert seen == []
    may_end.set()
    wait(None)
    assert seen == [CronCaughtUp("nightly")]


def test_without_a_thread_an_event_is_not_sent_aside_and_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    events = Events()
    seen: list[object] = []
    events.subscribe(CronCaughtUp, seen.append)
    events.send_aside(CronCaughtUp("nightly"))(None)
    assert seen == []
