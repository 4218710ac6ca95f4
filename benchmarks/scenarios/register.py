"""Audited registrations through the product, compared with bare loops of the same two-document transaction."""

from benchmarks.bench import Bench, connect, drain, queue_length
from benchmarks.harness import OURS, Outcome, interleaved, ratio, results_of
from benchmarks.jobs import hospital
from benchmarks.systems.ours_system import PRODUCT_WORKER
from producers.client import HospitalProducer
from worker.contract import REGISTER_HOSPITAL, RegisterHospital
from worker.settings import load_settings

_JOBS = 4_000


async def run(bench: Bench) -> Outcome:
    """Register new hospitals."""
    jobs = bench.size.jobs(_JOBS)
    payloads = [
        RegisterHospital.model_validate({"record": hospital(number, 0), "actor": "bench", "reason": "measured"})
        for number in range(jobs)
    ]

    async def product() -> float:
        await bench.clear()
        async with HospitalProducer.connect(load_settings(redis_url=bench.redis_url)) as producer:
            await producer.enqueue_many(REGISTER_HOSPITAL, payloads)
        async with connect(bench.redis_url) as redis:
            return await drain(bench.process(*PRODUCT_WORKER), jobs, lambda: queue_length(redis))

    async def two_inserts() -> float:
        await bench.clear()
        return await bench.bare_loop("insert_both", jobs)

    async def with_reads() -> float:
        await bench.clear()
        return await bench.bare_loop("read_and_insert_both", jobs)

    figures = await interleaved(
        bench.size.rounds, {OURS: product, "driver": with_reads, "driver, inserts alone": two_inserts}
    )
    return Outcome(
        results_of("register", "jobs/s", figures), {"register_vs_driver": ratio(figures, OURS, "driver")}
    )
