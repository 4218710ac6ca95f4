"""What metrics cost: jobs that do nothing, counted and read, and not counted."""

import asyncio

from benchmarks.bench import Bench
from benchmarks.errors import BenchmarkError
from benchmarks.harness import Measure, Outcome, interleaved, ratio, results_of
from benchmarks.scenarios.switched import ROUNDS, draining
from worker.embedded.ports import choose_port

# Prometheus usually reads every 15 s; here each round lasts for some seconds.
_READ_EVERY_S = 1.0
_TRY_EVERY_S = 0.05


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
    """Return the measure beside which the metrics are read over and over; it fails if they cannot be read."""

    async def read() -> float:
        answers: list[bytes] = []
        reading = asyncio.create_task(_keep_reading(port, answers))
        try:
            rate = await measure()
        finally:
            reading.cancel()
        if not any(answer.startswith(b"HTTP/1.1 200") for answer in answers):
            raise BenchmarkError(f"no metrics were read from port {port} beside the worker")
        return rate

    return read


async def _keep_reading(port: int, answers: list[bytes]) -> None:
    while True:
        try:
            answers.append(await _read_once(port))
        except OSError:
            # The worker does not listen yet.
            await asyncio.sleep(_TRY_EVERY_S)
        else:
            await asyncio.sleep(_READ_EVERY_S)


async def _read_once(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer
