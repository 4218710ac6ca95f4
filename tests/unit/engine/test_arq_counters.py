"""arq's counters of a worker, by how tries end."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.engine.conftest import finished
from worker.engine.arq_counters import count_like_arq, health_text
from worker.engine.events import JobOutcome
from worker.engine.heartbeat import UnknownFunctions


def arq_worker(*, retry_jobs: bool = True) -> Any:
    return SimpleNamespace(jobs_complete=0, jobs_failed=0, jobs_retried=0, retry_jobs=retry_jobs, timezone=None)


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        ("complete", (1, 0, 0)),
        ("dead", (0, 1, 0)),
        ("aborted", (0, 1, 0)),
        ("retried", (0, 0, 1)),
        ("handed_back", (0, 0, 1)),
        ("postponed", (0, 0, 1)),
        ("put_aside", (0, 0, 0)),
        ("function_unknown", (0, 0, 0)),
        ("lease_lost", (0, 0, 1)),
    ],
)
def test_every_outcome_has_its_counter(outcome: JobOutcome, counts: tuple[int, int, int]) -> None:
    worker = arq_worker()
    count_like_arq(worker, UnknownFunctions())(finished(outcome))
    assert (worker.jobs_complete, worker.jobs_failed, worker.jobs_retried) == counts


@pytest.mark.parametrize(
    ("error", "retry_jobs", "retried"),
    [("Retry", True, 1), ("RetryJob", True, 1), ("Retry", False, 0), ("ValueError", True, 0)],
)
def test_a_job_that_asked_once_too_often_counts_as_failed_and_retried(
    error: str, retry_jobs: bool, retried: int
) -> None:
    worker = arq_worker(retry_jobs=retry_jobs)
    count_like_arq(worker, UnknownFunctions())(finished("dead")._replace(error_class=error))
    assert (worker.jobs_failed, worker.jobs_retried) == (1, retried)


def test_functions_that_the_worker_lacks_are_collected() -> None:
    unknown = UnknownFunctions()
    count = count_like_arq(arq_worker(), unknown)
    count(finished("function_unknown")._replace(function="geocode"))
    count(finished("complete")._replace(function="double"))
    assert unknown.take() == ["geocode"]


def test_the_text_of_arqs_check_has_the_counters() -> None:
    worker = arq_worker()
    worker.jobs_complete, worker.jobs_failed, worker.jobs_retried = 1, 2, 3
    shown = health_text(worker, running=4, queued=5)
    assert shown.endswith(" j_complete=1 j_failed=2 j_retried=3 j_ongoing=4 queued=5")
