import pytest

from worker.engine.clock import RedisClock, now_ms

NOW_MS = 1_700_000_000_000


@pytest.fixture(autouse=True)
def frozen_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.engine.clock.time.time_ns", lambda: NOW_MS * 1_000_000 + 999_999)


def test_this_machines_time_is_in_whole_milliseconds() -> None:
    assert now_ms() == NOW_MS


def test_the_clock_of_this_machine_counts_until_redis_has_answered() -> None:
    assert RedisClock().ahead_ms == 0


@pytest.mark.parametrize("ahead_ms", [20_000, -20_000, 0])
def test_the_difference_to_redis_is_known(ahead_ms: int) -> None:
    clock = RedisClock()
    clock.observe(NOW_MS + ahead_ms)

    assert clock.ahead_ms == ahead_ms


def test_the_last_answer_of_redis_counts() -> None:
    clock = RedisClock()
    clock.observe(NOW_MS + 20_000)
    clock.observe(NOW_MS - 7)

    assert clock.ahead_ms == -7
