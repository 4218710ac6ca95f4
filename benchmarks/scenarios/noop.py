"""The overhead of the queue itself: jobs that do nothing."""

from benchmarks.bench import Bench
from benchmarks.harness import OURS, Outcome, best_peer, interleaved, ratio, results_of
from benchmarks.scenarios.peers import draining
from benchmarks.systems import NOOP_SYSTEMS

_OURS, _PEER = 40_000, 4_000
"""Each number of jobs takes seconds at that system's speed."""


async def run(bench: Bench) -> Outcome:
    """Drain a full queue with each system."""
    figures = await interleaved(
        bench.size.rounds,
        {
            name: draining(bench, name, "noop", [{}] * bench.size.jobs(_OURS if name == OURS else _PEER))
            for name in NOOP_SYSTEMS
        },
    )
    return Outcome(
        results_of("noop", "jobs/s", figures),
        {
            "noop_vs_arq": ratio(figures, OURS, "arq"),
            "noop_vs_best_peer": ratio(figures, OURS, best_peer(figures)),
        },
    )
