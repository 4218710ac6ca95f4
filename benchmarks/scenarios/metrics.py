"""What metrics cost: jobs that do nothing, counted and read, and not counted."""

import asyncio
from contextlib import suppress

from benchmarks.bench import Bench
from benchmarks.harness import Measure, Outcome, interleaved, ratio, results_of
from benchmarks.scenarios.switched import ROUNDS, draining
from worker.embedded.ports import choose_port

# Prometheus usually reads every 15 s; here each round lasts for some seconds.
_READ_EVERY_S = 1.0


async def run(bench: Bench) -> Outcome:
    """Drain a queue with metrics, which are read meanwhile, and without the listeners that count for them."""
    port = choose_port()
    counted = draining(bench, "benchmarks.product.WorkerSettings", WORKER_METRICS_PORT=str(port))
    measures = {"on": _read(counted, port), "off": draining(bench, "benchmarks.unobserved.WorkerSettings")}
    figures = await interleaved(ROUNDS * bench.size.rounds, measures)
    return Outcome(
        results_of("metrics", "jobs/s", figures),
        {"metrics_on_vs_off": ratio(figures, "on", "off")},
    )


def _read(measure: Measure, port: int) -> Measure:
    """Return the measure beside which the metrics are read over and over."""

    async def read() -> float:
        reading = asyncio.create_task(_keep_reading(port))
        try:
            return await measure()
        finally:
            reading.cancel()

    return read


async def _keep_reading(port: int) -> None:
    while True:
        # Before the worker listens, the connection is refused.
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
            await reader.read()
            writer.close()
        await asyncio.sleep(_READ_EVERY_S)
