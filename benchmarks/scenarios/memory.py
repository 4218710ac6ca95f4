"""What a waiting job takes of Redis's memory."""

from benchmarks.bench import Bench, connect
from benchmarks.harness import OURS, Outcome, interleaved, ratio, results_of
from benchmarks.jobs import hospital
from benchmarks.systems import system_named

_JOBS = 1_000


async def run(bench: Bench) -> Outcome:
    """Add up what all keys take of a queue of ingests, ours and arq's own, and divide by the jobs."""
    payloads = [{"record": hospital(number, 0)} for number in range(_JOBS)]

    async def of(name: str) -> float:
        await bench.clear()
        await system_named(name).enqueue(bench.redis_url, "ingest_hospital", payloads)
        taken = 0
        async with connect(bench.redis_url) as redis:
            async for key in redis.scan_iter(count=_JOBS):
                taken += await redis.memory_usage(key, samples=0)
        return taken / _JOBS

    figures = await interleaved(1, {OURS: lambda: of(OURS), "arq": lambda: of("arq")})
    return Outcome(
        results_of("queued job", "bytes", figures), {"bytes_per_queued_job": ratio(figures, OURS, "arq")}
    )
