import pytest

from tests.unit.engine.conftest import OUTAGE, Clock
from worker.engine.function_breaker import FunctionBreaker
from worker.engine.retry_policy import Trouble

REFUSED = Trouble("MongoDB refuses an operation", is_shared=False)


def open_breaker(clock: Clock, trouble: Trouble = REFUSED) -> FunctionBreaker:
    breaker = FunctionBreaker(trouble, clock, lambda: 1.0)
    assert [breaker.failed(trouble) for _ in range(3)] == [False, False, True]
    return breaker


def test_the_third_failure_opens_it_and_is_reported_once(clock: Clock) -> None:
    breaker = FunctionBreaker(REFUSED, clock, lambda: 1.0)
    assert not breaker.is_open
    assert [breaker.failed(REFUSED) for _ in range(5)] == [False, False, True, False, False]
    assert breaker.is_open


@pytest.mark.parametrize(
    ("trouble", "waits_s"), [(REFUSED, [0.125, 0.25, 0.5, 0.5, 0.5]), (OUTAGE, [0.125, 0.25, 0.5, 1.0, 1.0])]
)
def test_probes_run_one_after_the_other_with_back_off(clock: Clock, trouble: Trouble, waits_s: list[float]) -> None:
    breaker = open_breaker(clock, trouble)
    for wait_s in waits_s:
        clock.now += wait_s / 2
        assert not breaker.may_probe()
        clock.now += wait_s / 2
        assert breaker.may_probe()
        assert not breaker.may_probe()
        breaker.failed(trouble)


def test_a_probe_that_hangs_holds_up_the_next_one_for_five_seconds(clock: Clock) -> None:
    breaker = open_breaker(clock)
    clock.now += 1
    assert breaker.may_probe()
    clock.now += 4.9
    assert not breaker.may_probe()
    clock.now += 0.1
    assert breaker.may_probe()


def test_a_probe_without_an_answer_lets_another_try_at_once(clock: Clock) -> None:
    breaker = open_breaker(clock)
    breaker.inconclusive()
    assert breaker.is_open
    assert breaker.may_probe()


@pytest.mark.parametrize(
    ("trouble", "others_succeed", "alone"),
    [(OUTAGE, False, False), (OUTAGE, True, True), (REFUSED, False, True), (REFUSED, True, True)],
)
def test_when_the_trouble_is_known_to_be_one_functions(
    clock: Clock, trouble: Trouble, others_succeed: bool, alone: bool
) -> None:
    breaker = open_breaker(clock, trouble)
    breaker.others_succeed = others_succeed
    assert breaker.is_the_only_one == alone


def test_a_few_waiting_jobs_return_one_by_one(clock: Clock) -> None:
    breaker = open_breaker(clock)
    assert [breaker.wait_s() for _ in range(20)] == [0.5 * turn for turn in range(1, 21)]


def test_a_single_job_returns_every_half_second(clock: Clock) -> None:
    breaker = open_breaker(clock)
    for _ in range(50):
        assert breaker.wait_s() == 0.5
        clock.now += 0.5


def test_many_waiting_jobs_return_in_groups_at_a_bounded_rate(clock: Clock) -> None:
    breaker = open_breaker(clock)
    waits_s = [breaker.wait_s() for _ in range(10_020)][20:]

    assert waits_s == [2.0 + number // 250 for number in range(10_000)]


def test_no_job_waits_longer_than_five_minutes(clock: Clock) -> None:
    breaker = open_breaker(clock)
    assert max(breaker.wait_s() for _ in range(100_000)) == 300


def test_groups_do_not_pile_up_behind_those_of_a_burst_that_is_over(clock: Clock) -> None:
    breaker = open_breaker(clock)
    for _ in range(10_000):
        breaker.wait_s()
    clock.now += 60
    waits_s = [breaker.wait_s() for _ in range(21)]

    assert waits_s[-1] == 2.0
