import pytest

from worker.engine.circuit_breaker import CircuitBreaker


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(clock, jitter=lambda: 1.0)


def opened(breaker: CircuitBreaker) -> CircuitBreaker:
    for _ in range(3):
        breaker.outage(breaker.era)
    return breaker


def test_a_closed_breaker_allows_every_free_slot(breaker: CircuitBreaker) -> None:
    assert not breaker.is_open
    assert (breaker.allowance(300), breaker.allowance(0), breaker.wait_s) == (300, 0, 0)


def test_the_third_outage_in_a_row_opens_it_and_is_reported_once(breaker: CircuitBreaker) -> None:
    assert [breaker.outage(breaker.era) for _ in range(5)] == [False, False, True, False, False]
    assert breaker.is_open


def test_a_success_between_outages_keeps_it_closed(breaker: CircuitBreaker) -> None:
    breaker.outage(breaker.era)
    breaker.outage(breaker.era)
    assert not breaker.success(breaker.era)

    assert [breaker.outage(breaker.era) for _ in range(3)] == [False, False, True]


def test_an_open_breaker_allows_one_job_at_a_time_with_back_off(breaker: CircuitBreaker, clock: Clock) -> None:
    opened(breaker)
    for wait_s in (0.125, 0.25, 0.5, 1.0, 1.0):
        assert (breaker.allowance(300), breaker.wait_s) == (0, wait_s)
        clock.now += wait_s / 2
        assert (breaker.allowance(300), breaker.wait_s) == (0, wait_s / 2)
        clock.now += wait_s / 2
        assert (breaker.allowance(300), breaker.allowance(0), breaker.wait_s) == (1, 0, 0)
        breaker.probed()


def test_the_back_off_of_probes_restarts_with_the_next_outage(breaker: CircuitBreaker, clock: Clock) -> None:
    opened(breaker)
    for _ in range(5):
        breaker.probed()
    breaker.success(breaker.era)
    assert opened(breaker).wait_s == 0.125


def test_a_failed_probe_postpones_the_next_one(breaker: CircuitBreaker, clock: Clock) -> None:
    opened(breaker)
    clock.now += 1
    breaker.probed()
    clock.now += 0.9
    breaker.outage(breaker.era)

    assert (breaker.allowance(300), breaker.wait_s) == (0, 0.25)


def test_a_successful_probe_closes_it_and_is_reported_once(breaker: CircuitBreaker) -> None:
    opened(breaker)

    assert breaker.success(breaker.era)
    assert not breaker.is_open
    assert (breaker.allowance(300), breaker.wait_s) == (300, 0)
    assert not breaker.success(breaker.era)


def test_claims_while_closed_do_not_delay_later_probes(breaker: CircuitBreaker, clock: Clock) -> None:
    breaker.probed()
    opened(breaker)
    clock.now += 1

    assert breaker.allowance(5) == 1


def test_a_probe_that_did_not_reach_mongodb_allows_another_immediately(breaker: CircuitBreaker) -> None:
    opened(breaker)
    assert breaker.allowance(300) == 0
    breaker.inconclusive(breaker.era)
    assert breaker.is_open
    assert breaker.allowance(300) == 1


def test_a_late_success_of_a_job_from_before_the_outage_does_not_close_it(breaker: CircuitBreaker) -> None:
    before = breaker.era
    opened(breaker)

    assert not breaker.success(before)
    assert breaker.is_open
    assert breaker.success(breaker.era)


def test_late_outages_of_jobs_from_before_its_end_do_not_open_it_again(breaker: CircuitBreaker) -> None:
    opened(breaker)
    during = breaker.era
    assert breaker.success(during)

    assert [breaker.outage(during) for _ in range(5)] == [False] * 5
    assert not breaker.is_open
    assert [breaker.outage(breaker.era) for _ in range(3)] == [False, False, True]


def test_a_late_inconclusive_end_allows_no_other_probe(breaker: CircuitBreaker) -> None:
    before = breaker.era
    opened(breaker)
    breaker.inconclusive(before)

    assert breaker.allowance(300) == 0
