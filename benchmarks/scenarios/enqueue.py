"""How fast a producer enqueues jobs."""

import time

from benchmarks.bench import Bench
from benchmarks.harness import OURS, Measure, Outcome, interleaved, ratio, results_of
from benchmarks.jobs import hospital
from benchmarks.systems import system_named
from producers.client import HospitalProducer
from worker.contract import INGEST_HOSPITAL, IngestHospital
from worker.settings import load_settings

_OURS, _ARQ = 50_000, 5_000


async def run(bench: Bench) -> Outcome:
    """Enqueue ingests with payload: in groups with this project's producer, and 50 at a time with arq."""
    payloads = [{"record": hospital(number, 0)} for number in range(bench.size.jobs(_OURS))]
    typed_payloads = [IngestHospital.model_validate(payload) for payload in payloads]

    async def ours() -> float:
        await bench.clear()
        async with HospitalProducer.connect(load_settings(redis_url=bench.redis_url)) as producer:
            started = time.perf_counter()
            await producer.enqueue_many(INGEST_HOSPITAL, typed_payloads)
            return len(typed_payloads) / (time.perf_counter() - started)

    async def arq() -> float:
        await bench.clear()
        few = payloads[: bench.size.jobs(_ARQ)]
        started = time.perf_counter()
        await system_named("arq").enqueue(bench.redis_url, "ingest_hospital", few)
        return len(few) / (time.perf_counter() - started)

    measures: dict[str, Measure] = {OURS: ours, "arq": arq}
    figures = await interleaved(bench.size.rounds, measures)
    return Outcome(results_of("enqueue", "jobs/s", figures), {"enqueue_many_vs_arq": ratio(figures, OURS, "arq")})
