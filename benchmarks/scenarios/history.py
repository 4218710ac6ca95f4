"""What the history of ended jobs costs: jobs that do nothing, with and without it."""

from benchmarks.bench import Bench
from benchmarks.harness import Outcome, interleaved, ratio, results_of
from benchmarks.scenarios.switched import ROUNDS, draining

_PRODUCT = "benchmarks.product.WorkerSettings"


async def run(bench: Bench) -> Outcome:
    """Drain a queue with the history on, as by default, and off."""
    measures = {
        "on": draining(bench, _PRODUCT, WORKER_HISTORY_DAYS="30"),
        "off": draining(bench, _PRODUCT, WORKER_HISTORY_DAYS="0"),
    }
    figures = await interleaved(ROUNDS * bench.size.rounds, measures)
    return Outcome(
        results_of("history", "jobs/s", figures),
        {"history_on_vs_off": ratio(figures, "on", "off")},
    )
