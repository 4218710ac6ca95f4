"""What a worker's metrics say of its queues: their slots, their rates, and claims that a rate held back."""

from worker.engine.events import Claimed
from worker.monitoring.metrics import WorkerMetrics
from worker.monitoring.samples import Samples
from worker.monitoring.tallies import Tallies

QUEUE, CMS = "arq:queue", "arq:queue:cms"


def metrics_of(rate: float = 500.0) -> WorkerMetrics:
    return WorkerMetrics(Tallies([]), {QUEUE: 300, CMS: 20}, {CMS: rate}, lambda: None)


def test_slots_and_rates_of_queues_are_there_before_the_first_job() -> None:
    numbers = metrics_of().samples().numbers

    assert numbers["hospital_worker_queue_slots"] == {(QUEUE,): 300, (CMS,): 20}
    assert numbers["hospital_queue_rate_limit"] == {(CMS,): 500}
    assert numbers["hospital_rate_limited_claims_total"] == {(CMS,): 0}


def test_a_claim_that_a_rate_held_back_counts_for_its_queue() -> None:
    metrics = metrics_of()
    for held_back in (frozenset({CMS}), frozenset[str](), frozenset({CMS})):
        metrics.claimed(Claimed(3, 10, 0.01, held_back))

    numbers = metrics.samples().numbers
    assert numbers["hospital_rate_limited_claims_total"] == {(CMS,): 2}
    assert numbers["hospital_claims_total"] == {("jobs",): 3}


def test_of_the_processes_of_one_run_slots_add_up_and_the_highest_rate_holds() -> None:
    total = Samples()
    for rate in (500.0, 200.0):
        total.merge(metrics_of(rate).samples())

    assert total.numbers["hospital_worker_queue_slots"] == {(QUEUE,): 600, (CMS,): 40}
    assert total.numbers["hospital_queue_rate_limit"] == {(CMS,): 500}
