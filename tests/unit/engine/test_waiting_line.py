import pytest

from worker.engine.waiting_line import SpacedReturns


class Clock:
    """A clock that the test sets, in seconds."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_jobs_that_cannot_run_here_return_after_5_s_and_at_most_1000_of_them_in_a_second(clock: Clock) -> None:
    returns = SpacedReturns(clock)
    waits = [returns.wait_s() for _ in range(10_001)]
    assert waits[0] == 5
    assert waits == sorted(waits)
    assert waits[1_000] == pytest.approx(6)
    assert waits[10_000] == pytest.approx(15)


def test_few_jobs_return_after_5_s_again_and_again(clock: Clock) -> None:
    returns = SpacedReturns(clock)
    for _ in range(20):
        assert [returns.wait_s() for _ in range(10)] == pytest.approx([5] * 10, abs=0.011)
        clock.now += 5


def test_no_job_waits_longer_than_5_minutes(clock: Clock) -> None:
    returns = SpacedReturns(clock)
    assert max(returns.wait_s() for _ in range(400_000)) == 300
    # When the jobs are gone, the next one does not wait for them.
    clock.now += 300
    assert returns.wait_s() == pytest.approx(5, abs=0.01)
