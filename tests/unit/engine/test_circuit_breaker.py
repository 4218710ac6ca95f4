import pytest

from tests.unit.engine.conftest import OUTAGE, Clock, KeptEvents, stop_all
from worker.engine import circuit_breaker
from worker.engine.circuit_breaker import CircuitBreaker
from worker.engine.events import BreakerChanged
from worker.engine.retry_policy import Trouble

REFUSED = Trouble("MongoDB refuses an operation", is_shared=False)
GEOCODER = Trouble("geocoder is unavailable", is_shared=False)
STOPPED, RESUMED = BreakerChanged(True, OUTAGE.reason), BreakerChanged(False, OUTAGE.reason)


@pytest.fixture
def breaker(clock: Clock, events: KeptEvents) -> CircuitBreaker:
    return CircuitBreaker(events, clock, jitter=lambda: 1.0)


def fail(breaker: CircuitBreaker, *functions: str, trouble: Trouble = OUTAGE) -> None:
    for function in functions:
        breaker.failed(function, trouble, breaker.era)


def opened(function: str, trouble: Trouble) -> BreakerChanged:
    return BreakerChanged(True, trouble.reason, function)


def closed(function: str, trouble: Trouble) -> BreakerChanged:
    return BreakerChanged(False, trouble.reason, function)


# ---- all jobs ---------------------------------------------------------------------------------------------


def test_without_trouble_every_free_slot_may_be_filled(breaker: CircuitBreaker) -> None:
    breaker.succeeded("ingest", breaker.era)
    breaker.inconclusive("ingest", breaker.era)
    assert not breaker.is_open
    assert not breaker.is_troubled
    assert (breaker.allowance(300), breaker.allowance(0), breaker.wait_s) == (300, 0, 0)


@pytest.mark.parametrize(
    ("failures", "stops"),
    [
        ("amend", False),
        ("amend ingest", False),
        ("amend ingest ingest", True),
        ("ingest amend register", True),
        ("ingest ingest amend", True),
        # One function alone may be the cause.
        ("ingest ingest ingest ingest", False),
        ("ingest ingest ingest amend", True),
    ],
)
def test_three_outages_in_a_row_of_two_functions_stop_all(
    breaker: CircuitBreaker, events: KeptEvents, failures: str, stops: bool
) -> None:
    fail(breaker, *failures.split())
    assert (breaker.allowance(300) == 0) == stops
    assert (STOPPED in events.sent) == stops


def test_a_stop_is_reported_once_and_names_its_reason(breaker: CircuitBreaker, events: KeptEvents) -> None:
    stop_all(breaker)
    fail(breaker, "ingest", "amend", "ingest", "amend")
    assert events.sent == [STOPPED]
    assert (breaker.is_open, breaker.why_not) == (True, OUTAGE.reason)


def test_a_success_between_outages_keeps_it_closed(breaker: CircuitBreaker, events: KeptEvents) -> None:
    fail(breaker, "ingest", "amend")
    breaker.succeeded("register", breaker.era)
    fail(breaker, "ingest", "amend")
    assert events.sent == []
    fail(breaker, "register")
    assert events.sent == [STOPPED]


def test_while_all_is_stopped_one_job_at_a_time_probes_with_back_off(breaker: CircuitBreaker, clock: Clock) -> None:
    stop_all(breaker)
    for wait_s in (0.125, 0.25, 0.5, 1.0, 1.0):
        assert (breaker.allowance(300), breaker.wait_s) == (0, wait_s)
        clock.now += wait_s / 2
        assert (breaker.allowance(300), breaker.wait_s) == (0, wait_s / 2)
        clock.now += wait_s / 2
        assert (breaker.allowance(300), breaker.allowance(0), breaker.wait_s) == (1, 0, 0)
        breaker.probed()
        assert breaker.put_aside_s("ingest", breaker.era) is None


def test_the_back_off_of_probes_restarts_with_the_next_outage(breaker: CircuitBreaker) -> None:
    stop_all(breaker)
    for _ in range(5):
        breaker.probed()
    breaker.succeeded("ingest", breaker.era)
    stop_all(breaker)
    assert breaker.wait_s == 0.125


def test_a_failed_probe_postpones_the_next_one(breaker: CircuitBreaker, clock: Clock) -> None:
    stop_all(breaker)
    clock.now += 1
    breaker.probed()
    clock.now += 0.9
    fail(breaker, "ingest")

    assert (breaker.allowance(300), breaker.wait_s) == (0, 0.25)


def test_a_successful_probe_lets_all_run_and_is_reported_once(breaker: CircuitBreaker, events: KeptEvents) -> None:
    stop_all(breaker)
    breaker.succeeded("ingest", breaker.era)
    breaker.succeeded("ingest", breaker.era)

    assert events.sent == [STOPPED, RESUMED]
    assert (breaker.is_open, breaker.is_troubled) == (False, False)
    assert (breaker.allowance(300), breaker.wait_s) == (300, 0)


def test_functions_that_a_whole_outage_stopped_are_let_through_at_its_end(
    breaker: CircuitBreaker, events: KeptEvents
) -> None:
    fail(breaker, "ingest", "ingest", "ingest", "amend")
    assert events.sent == [opened("ingest", OUTAGE), STOPPED]
    breaker.succeeded("amend", breaker.era)

    assert events.sent[2:] == [closed("ingest", OUTAGE), RESUMED]
    assert not breaker.is_troubled


def test_a_function_that_never_failed_ends_the_stop_but_vouches_for_no_other(
    breaker: CircuitBreaker, events: KeptEvents, clock: Clock
) -> None:
    fail(breaker, "ingest", "ingest", "ingest", "amend")
    clock.now += 1
    breaker.succeeded("register", breaker.era)

    assert events.sent[2:] == [RESUMED]
    assert breaker.why_not == ""
    assert breaker.put_aside_s("ingest", breaker.era) is None, "the probe"
    assert breaker.put_aside_s("ingest", breaker.era) == 0.5


def test_claims_while_closed_do_not_delay_later_probes(breaker: CircuitBreaker, clock: Clock) -> None:
    breaker.probed()
    stop_all(breaker)
    clock.now += 1

    assert breaker.allowance(5) == 1


def test_a_probe_that_did_not_reach_mongodb_allows_another_immediately(breaker: CircuitBreaker) -> None:
    stop_all(breaker)
    assert breaker.allowance(300) == 0
    breaker.inconclusive("ingest", breaker.era)
    assert breaker.is_open
    assert breaker.allowance(300) == 1


def test_a_late_success_of_a_job_from_before_the_outage_does_not_close_it(breaker: CircuitBreaker) -> None:
    before = breaker.era
    stop_all(breaker)
    breaker.succeeded("register", before)
    assert breaker.is_open
    breaker.succeeded("register", breaker.era)
    assert not breaker.is_open


def test_late_outages_of_jobs_from_before_its_end_do_not_stop_it_again(breaker: CircuitBreaker) -> None:
    stop_all(breaker)
    during = breaker.era
    breaker.succeeded("ingest", during)
    for function in ("ingest", "amend", "register", "ingest", "ingest"):
        breaker.failed(function, OUTAGE, during)
    assert (breaker.is_open, breaker.is_troubled) == (False, False)

    stop_all(breaker)
    assert breaker.is_open


def test_a_late_inconclusive_end_allows_no_other_probe(breaker: CircuitBreaker) -> None:
    before = breaker.era
    stop_all(breaker)
    breaker.inconclusive("ingest", before)

    assert breaker.allowance(300) == 0


def test_jobs_claimed_before_a_stop_run_unless_their_function_is_known_to_fail(breaker: CircuitBreaker) -> None:
    before = breaker.era
    fail(breaker, "ingest", "ingest", "ingest", "amend")
    assert breaker.put_aside_s("amend", before) is None
    assert breaker.put_aside_s("ingest", before) == 1.0


def test_a_long_outage_looks_for_a_function_that_works_behind_those_that_do_not(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    stop_all(breaker)
    for _ in range(8):
        clock.now += breaker.wait_s
        assert breaker.allowance(300) == 1
        breaker.probed()
    clock.now += breaker.wait_s
    assert breaker.allowance(300) == 100
    breaker.probed()

    batch = ["ingest", "ingest", "amend", "other", "other"]
    assert [breaker.put_aside_s(function, breaker.era) for function in batch] == [None, 1.0, 1.0, None, 1.0]
    breaker.succeeded("other", breaker.era)
    assert breaker.allowance(300) == 300


# ---- all functions of a worker ------------------------------------------------------------------------------


@pytest.fixture
def knowing(clock: Clock, events: KeptEvents) -> CircuitBreaker:
    """A breaker that knows all functions of its worker."""
    return CircuitBreaker(events, clock, lambda: 1.0, functions=["ingest", "register", "report"])


def test_while_a_function_is_untried_others_that_fail_do_not_stop_it(
    knowing: CircuitBreaker, events: KeptEvents
) -> None:
    fail(knowing, *["ingest", "register"] * 3)

    assert events.sent == [opened("ingest", OUTAGE), opened("register", OUTAGE)]
    assert (knowing.is_open, knowing.why_not) == (True, OUTAGE.reason)
    assert knowing.allowance(300) == 300
    assert [knowing.put_aside_s(name, knowing.era) for name in ("ingest", "register", "report")] == [1.0, 1.0, None]
    knowing.succeeded("report", knowing.era)
    assert knowing.why_not == ""
    # From now on they are known to be the cause themselves.
    fail(knowing, *["ingest", "register"] * 3)
    assert STOPPED not in events.sent


@pytest.mark.parametrize("failures", ["ingest register report", "ingest ingest register report"])
def test_when_all_functions_have_failed_all_is_stopped_at_once(
    knowing: CircuitBreaker, events: KeptEvents, failures: str
) -> None:
    fail(knowing, *failures.split())
    assert events.sent == [STOPPED]
    assert knowing.allowance(300) == 0


def test_a_worker_with_one_function_is_stopped_when_that_fails(clock: Clock, events: KeptEvents) -> None:
    breaker = CircuitBreaker(events, clock, lambda: 1.0, functions=["ingest"])
    fail(breaker, "ingest", "ingest", "ingest")
    assert breaker.allowance(300) == 0
    breaker.succeeded("ingest", breaker.era)
    assert not breaker.is_troubled


def test_a_function_that_fails_for_another_reason_is_not_waited_for(
    knowing: CircuitBreaker, events: KeptEvents
) -> None:
    fail(knowing, *["report"] * 3, trouble=GEOCODER)
    fail(knowing, "ingest", "register", "ingest")
    assert STOPPED in events.sent


def test_if_no_untried_function_is_found_all_is_stopped(
    knowing: CircuitBreaker, events: KeptEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit_breaker, "_PUT_ASIDE", 10)
    fail(knowing, *["ingest", "register"] * 3)
    for function in ["ingest", "register"] * 5:
        assert STOPPED not in events.sent
        knowing.put_aside_s(function, knowing.era)
    assert STOPPED in events.sent
    assert knowing.allowance(300) == 0


def test_one_function_that_works_again_lets_all_through(knowing: CircuitBreaker, events: KeptEvents) -> None:
    fail(knowing, *["ingest", "register"] * 3)
    knowing.succeeded("ingest", knowing.era)

    assert events.sent[2:] == [closed("ingest", OUTAGE), closed("register", OUTAGE)]
    assert not knowing.is_troubled


def test_one_function_that_works_again_says_nothing_of_what_fails_for_another_reason(
    knowing: CircuitBreaker, events: KeptEvents
) -> None:
    fail(knowing, *["ingest"] * 3)
    fail(knowing, *["report"] * 3, trouble=GEOCODER)
    knowing.succeeded("ingest", knowing.era)

    assert closed("ingest", OUTAGE) in events.sent
    assert knowing.put_aside_s("report", knowing.era) is not None


# ---- one function -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [REFUSED, GEOCODER])
def test_trouble_that_is_not_shared_stops_its_function_alone(
    breaker: CircuitBreaker, events: KeptEvents, trouble: Trouble
) -> None:
    fail(breaker, "register", "amend", "register", "amend", "register", trouble=trouble)
    assert events.sent == [opened("register", trouble)]
    assert breaker.allowance(300) == 300
    assert breaker.put_aside_s("amend", breaker.era) is None
    assert breaker.put_aside_s("ingest", breaker.era) is None
    assert breaker.put_aside_s("register", breaker.era) == 0.5


def test_only_an_own_success_closes_the_breaker_of_a_function(
    breaker: CircuitBreaker, events: KeptEvents, clock: Clock
) -> None:
    fail(breaker, "register", "register", "register", trouble=REFUSED)
    breaker.succeeded("ingest", breaker.era)
    assert breaker.put_aside_s("register", breaker.era) is not None
    clock.now += 1
    assert breaker.put_aside_s("register", breaker.era) is None
    breaker.succeeded("register", breaker.era)

    assert events.sent == [opened("register", REFUSED), closed("register", REFUSED)]
    assert not breaker.is_troubled


def test_an_outage_that_others_do_not_meet_never_stops_all(breaker: CircuitBreaker, events: KeptEvents) -> None:
    fail(breaker, "register", "register", "register")
    breaker.succeeded("ingest", breaker.era)
    fail(breaker, *["register"] * 100, "ingest")
    assert events.sent == [opened("register", OUTAGE)]
    fail(breaker, "ingest", "amend")
    assert events.sent[1:] == [STOPPED]


def test_jobs_of_the_only_function_that_met_an_outage_are_put_aside_for_a_moment(breaker: CircuitBreaker) -> None:
    fail(breaker, "ingest", "ingest", "ingest")
    assert [breaker.put_aside_s("ingest", breaker.era) for _ in range(100)] == [1.0] * 100


def test_if_no_other_function_is_found_all_is_stopped(
    breaker: CircuitBreaker, events: KeptEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit_breaker, "_PUT_ASIDE", 10)
    fail(breaker, "ingest", "ingest", "ingest")
    for _ in range(9):
        breaker.put_aside_s("ingest", breaker.era)
    assert breaker.allowance(300) == 300
    breaker.put_aside_s("ingest", breaker.era)
    assert breaker.allowance(300) == 0
    assert events.sent == [opened("ingest", OUTAGE), STOPPED]
    breaker.succeeded("ingest", breaker.era)
    assert events.sent[2:] == [closed("ingest", OUTAGE), RESUMED]


def test_a_function_that_fails_alone_does_not_use_up_the_probes_of_a_whole_outage(breaker: CircuitBreaker) -> None:
    fail(breaker, "register", "register", "register", trouble=REFUSED)
    stop_all(breaker)
    breaker.probed()
    assert breaker.allowance(300) == 0
    assert breaker.put_aside_s("register", breaker.era) == 0.5
    assert breaker.allowance(300) == 1


def test_late_reports_from_before_a_function_opened_or_closed_do_not_count(
    breaker: CircuitBreaker, events: KeptEvents
) -> None:
    before = breaker.era
    fail(breaker, "register", "register", "register", trouble=REFUSED)
    during = breaker.era
    breaker.succeeded("register", before)
    breaker.inconclusive("register", before)
    assert breaker.put_aside_s("register", during) is not None
    breaker.succeeded("register", during)
    for _ in range(5):
        breaker.failed("register", REFUSED, during)
    assert events.sent == [opened("register", REFUSED), closed("register", REFUSED)]
    assert not breaker.is_troubled


def test_a_success_from_before_a_function_failed_does_not_vouch_for_the_dependency(breaker: CircuitBreaker) -> None:
    before = breaker.era
    fail(breaker, "register", "register", "register")
    breaker.succeeded("ingest", before)
    assert breaker.why_not == OUTAGE.reason
    breaker.succeeded("ingest", breaker.era)
    assert breaker.why_not == ""


@pytest.mark.parametrize(
    ("troubles", "why_not"),
    [
        ({"ingest": OUTAGE}, "MongoDB is unavailable"),
        ({"register": REFUSED}, "register: MongoDB refuses an operation"),
        ({"locate": GEOCODER}, "locate: geocoder is unavailable"),
        ({"locate": GEOCODER, "ingest": OUTAGE}, "locate: geocoder is unavailable; MongoDB is unavailable"),
    ],
)
def test_a_worker_is_unready_with_the_true_reason_unless_some_function_works(
    breaker: CircuitBreaker, troubles: dict[str, Trouble], why_not: str
) -> None:
    for function, trouble in troubles.items():
        fail(breaker, *[function] * 3, trouble=trouble)
    assert (breaker.is_open, breaker.why_not) == (True, why_not)
    breaker.succeeded("other", breaker.era)
    assert (breaker.is_open, breaker.why_not) == (False, "")


def test_functions_whose_jobs_wait_are_named_although_the_worker_is_ready(breaker: CircuitBreaker) -> None:
    assert breaker.held_functions == []
    fail(breaker, "amend", "amend", trouble=REFUSED)
    assert breaker.held_functions == []
    fail(breaker, "amend", trouble=REFUSED)
    breaker.succeeded("ingest", breaker.era)
    assert breaker.why_not == ""
    assert breaker.held_functions == ["amend: MongoDB refuses an operation"]
    breaker.succeeded("amend", breaker.era)
    assert breaker.held_functions == []
