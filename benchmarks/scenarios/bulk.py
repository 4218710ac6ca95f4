"""The import of a file through the producer, the queue and a worker, compared with bare insert_many."""

import json

from benchmarks.bench import Bench, connect
from benchmarks.errors import BenchmarkError
from benchmarks.harness import OURS, Outcome, Result, interleaved, ratio, results_of
from producers.generator import Truth, expected_truth, write_rows
from worker.demo.processes import WorkerProcess

_ROWS = 100_000
_SEED = 2025
_READY_S = 30.0


async def run(bench: Bench) -> Outcome:
    """Import one file of generated rows: 1 % with a defect, 3 % repeated.

    The import is the whole of it: identities, collisions and conflicts, the report, the counters of its batch and
    its completion job. Both sides are counted in the hospitals that are stored at the end, which are the same. What
    the first pass over the file takes, before anything is imported, is a figure of its own.
    """
    path = bench.folder / "hospitals.csv"
    rows = bench.size.jobs(_ROWS)
    write_rows(path, "csv", rows, _SEED)
    truth = expected_truth(rows, _SEED)
    surveyed: list[float] = []

    async def product() -> float:
        await bench.clear()
        worker = WorkerProcess("bulk-worker", bench.servers.environment(), bench.folder)
        async with connect(bench.redis_url) as redis:
            await worker.start()
            try:
                await worker.wait_ready(redis, _READY_S)
                async with bench.process("-m", "benchmarks.file_import", str(path)) as producer:
                    measured = json.loads(await producer.output())
            finally:
                await worker.stop()
        check_fates(measured["fates"], truth, stored=await bench.mongo.hospitals.count_documents({}))
        surveyed.append(rows / measured["survey_s"])
        return truth.created / float(measured["import_s"])

    async def bare() -> float:
        await bench.clear()
        return await bench.bare_loop("insert_file", path)

    figures = await interleaved(bench.size.rounds, {OURS: product, "driver": bare})
    first_pass = Result.of("first pass over a file", OURS, "records/s", surveyed)
    return Outcome(
        (*results_of("bulk", "records/s", figures), first_pass),
        {"bulk_vs_insert_many": ratio(figures, OURS, "driver")},
    )


def check_fates(fates: dict[str, int], truth: Truth, *, stored: int) -> None:
    """Raise `BenchmarkError` unless every row became what it should: a figure of a wrong import says nothing."""
    # Chunks run at once, so of two rows of one hospital that differ either may come first: the other is kept.
    expected = {"created": truth.created, "same or kept": truth.same + truth.kept, "rejected": truth.rejected}
    found = {fate: count for fate, count in fates.items() if count and fate not in ("same", "kept")}
    found["same or kept"] = fates.get("same", 0) + fates.get("kept", 0)
    if found != expected or stored != truth.created:
        raise BenchmarkError(f"the import stored {stored} hospitals, with rows {found}; expected {expected}")
