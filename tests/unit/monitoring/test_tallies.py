import pytest

from tests.support.ended_tries import Ended, tallies
from worker.monitoring.tallies import difference
from worker.queue.histograms import bucket_of
from worker.queue.rates import JobTally


def test_each_try_counts_once_with_its_times() -> None:
    made = tallies(Ended(run_s=0.03, pickup_s=0.3), Ended(run_s=0.03), Ended(outcome="dead", run_s=4))

    total = made.timed()["arq:queue", "ingest"]
    assert (total.count, round(total.run_s, 2), round(total.pickup_s, 2)) == (3, 4.06, 0.3)
    assert (total.run[bucket_of(0.03)], total.run[bucket_of(4)], total.pickup[bucket_of(0.3)]) == (2, 1, 1)
    assert made.outcomes() == {"complete": 2, "dead": 1}


@pytest.mark.parametrize("outcome", ["put_aside", "function_unknown", "handed_back", "postponed", "lease_lost"])
def test_a_try_that_was_not_run_to_its_end_has_no_times(outcome: str) -> None:
    made = tallies(Ended(outcome=outcome))
    assert made.timed() == {}
    assert made.job_tallies()["arq:queue", "ingest"].outcomes == {outcome: 1}


def test_names_that_anyone_can_make_up_are_counted_together() -> None:
    made = tallies(*(Ended(function=f"f{number}", outcome="function_unknown") for number in range(1_000)))
    assert {key: tally.count for key, tally in made.by_outcome().items()} == {
        ("other", "arq:queue", "function_unknown"): 1_000
    }


def test_the_classes_of_errors_are_bounded_and_safe_to_show() -> None:
    made = tallies(*(Ended(outcome="dead", error_class=f"E{number}\udc00\n") for number in range(1_000)))

    assert len(made.errors) == 101
    assert made.errors["ingest", "other"] == 900
    assert all(error.isprintable() for _, error in made.errors)


def test_a_difference_has_only_what_was_added() -> None:
    made = tallies(Ended(), Ended(function="register"))
    before = made.job_tallies()
    made.try_ended(Ended(outcome="retried", run_s=0.03))
    added = difference(made.job_tallies(), before)

    assert list(added) == [("arq:queue", "ingest")]
    assert added["arq:queue", "ingest"].outcomes == {"retried": 1}
    assert sum(added["arq:queue", "ingest"].run) == 1


def test_only_what_ends_a_job_counts_as_ended() -> None:
    assert JobTally({"complete": 1, "dead": 2, "aborted": 4, "retried": 8, "put_aside": 16}).ended == 7
