"""The import of a file by `hospital-producer ingest`, the queue and a worker, compared with bare insert_many."""

import json

from benchmarks.bench import Bench, connect
from benchmarks.harness import OURS, Outcome, interleaved, ratio, results_of
from producers.generator import write_rows
from worker.demo.processes import WorkerProcess

_ROWS = 100_000
_SEED = 2025
_READY_S = 30.0


async def run(bench: Bench) -> Outcome:
    """Import one file of generated rows: 1 % invalid, 3 % repeated."""
    path = bench.folder / "hospitals.csv"
    write_rows(path, "csv", bench.size.jobs(_ROWS), _SEED)

    async def product() -> float:
        await bench.clear()
        worker = WorkerProcess("bulk-worker", bench.servers.environment(), bench.folder)
        async with connect(bench.redis_url) as redis:
            await worker.start()
            try:
                await worker.wait_ready(redis, _READY_S)
                # With rejected rows it exits with 1, so that exit code is accepted here too.
                async with bench.process("-m", "producers", "ingest", str(path), "--json") as producer:
                    summary = json.loads(await producer.output(statuses=(0, 1)))
            finally:
                await worker.stop()
        return float(summary["records_per_s"])

    async def bare() -> float:
        await bench.clear()
        return await bench.bare_loop("insert_file", path)

    figures = await interleaved(bench.size.rounds, {OURS: product, "driver": bare})
    return Outcome(
        results_of("bulk", "records/s", figures), {"bulk_vs_insert_many": ratio(figures, OURS, "driver")}
    )
