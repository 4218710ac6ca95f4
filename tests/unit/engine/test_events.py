import logging

import pytest

from tests.unit.engine.conftest import finished
from worker.engine.events import BreakerChanged, ClaimRecovered, Events, JobFinished, JobStarted


def test_an_event_reaches_the_listeners_of_its_class_in_their_order() -> None:
    events = Events()
    heard: list[tuple[str, object]] = []
    events.subscribe(BreakerChanged, lambda event: heard.append(("first", event)))
    events.subscribe(ClaimRecovered, lambda event: heard.append(("other", event)))
    events.subscribe(BreakerChanged, lambda event: heard.append(("second", event)))
    sent = BreakerChanged(is_open=True)
    events.send(sent)

    assert heard == [("first", sent), ("second", sent)]
    assert heard[0][1] is sent


def test_an_event_without_a_listener_is_no_error() -> None:
    events = Events()
    heard: list[object] = []
    events.subscribe(ClaimRecovered, heard.append)
    events.send(BreakerChanged(is_open=False))

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
    assert not events.wants(JobFinished)
    events.subscribe(JobFinished, lambda event: None)

    assert events.wants(JobFinished)
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
