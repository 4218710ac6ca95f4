from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from worker.mongo.write_progress import WriteProgress

FIRST = datetime(2026, 1, 1, tzinfo=UTC)


class Stage:
    """A primary that is checked every two seconds."""

    def __init__(self) -> None:
        self.now = 100.0
        self.progress = WriteProgress(lambda: self.now)

    def check(self, latest: datetime | None, *, is_writable: bool = True, seconds: float = 2) -> None:
        self.now += seconds
        event: Any = SimpleNamespace(reply=SimpleNamespace(last_write_date=latest, is_writable=is_writable))
        self.progress.succeeded(event)

    def write_for(self, seconds: int) -> datetime:
        latest = FIRST
        for number in range(seconds // 2):
            # As often as a primary writes that nobody writes to.
            latest = FIRST + timedelta(seconds=number // 5 * 10)
            self.check(latest)
        return latest


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_primary_that_writes_only_its_own_notes_does_not_stand_still(stage: Stage) -> None:
    for number in range(100):
        stage.check(FIRST + timedelta(seconds=number // 5 * 10))
        assert not stage.progress.stands_still


def test_a_primary_that_answers_and_writes_nothing_stands_still(stage: Stage) -> None:
    latest = stage.write_for(40)
    seen = []
    for _ in range(8):
        stage.check(latest)
        seen.append(stage.progress.stands_still)
    assert seen[0] is False
    assert seen[-1] is True
    stage.check(latest + timedelta(seconds=1))
    assert not stage.progress.stands_still


def test_of_a_server_that_does_not_answer_nothing_is_known(stage: Stage) -> None:
    latest = stage.write_for(40)
    for _ in range(20):
        stage.check(latest)
    assert stage.progress.stands_still
    stage.now += 6
    assert not stage.progress.stands_still


def test_a_server_whose_latest_write_was_never_seen_to_change_does_not_count(stage: Stage) -> None:
    for _ in range(100):
        stage.check(FIRST)
    assert not stage.progress.stands_still


def test_secondaries_and_routers_say_nothing(stage: Stage) -> None:
    stage.write_for(40)
    for _ in range(20):
        stage.check(FIRST, is_writable=False)
        stage.check(None)
    assert not stage.progress.stands_still
