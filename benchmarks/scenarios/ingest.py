"""Ingests of one record: the whole product, compared with the same job on other queues and with the bare driver."""

from benchmarks.bench import Bench
from benchmarks.harness import OURS, Outcome, best_peer, interleaved, ratio, results_of
from benchmarks.jobs import hospital
from benchmarks.scenarios.peers import draining
from benchmarks.systems import INGEST_SYSTEMS

_JOBS = 6_000


async def run(bench: Bench) -> Outcome:
    """Ingest new hospitals, one per job."""
    jobs = bench.size.jobs(_JOBS)
    payloads = [{"record": hospital(number, 0)} for number in range(jobs)]

    async def bare() -> float:
        await bench.clear()
        return await bench.bare_loop("upsert", jobs)

    measures = {name: draining(bench, name, "ingest_hospital", payloads) for name in INGEST_SYSTEMS}
    figures = await interleaved(bench.size.rounds, {"driver": bare, **measures})
    peers = {name: rounds for name, rounds in figures.items() if name != "driver"}
    return Outcome(
        results_of("ingest", "jobs/s", figures),
        {
            "ingest_vs_driver": ratio(figures, OURS, "driver"),
            "ingest_vs_best_peer": ratio(figures, OURS, best_peer(peers)),
        },
    )
