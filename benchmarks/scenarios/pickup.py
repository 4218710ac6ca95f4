"""How long a job waits for an idle worker: from the call to enqueue until its first line runs."""

import asyncio
import random
import statistics
import time

from benchmarks.bench import Bench, connect
from benchmarks.harness import OURS, Outcome, Result, percentile
from benchmarks.systems import system_named
from benchmarks.systems.ours_system import STARTS, enqueue_named, new_ids

_SINGLES = 500
_WARM_UP_SINGLES = 20
_LONGEST_PAUSE_S = 0.04
_WAIT_S = 30


async def run(bench: Bench) -> Outcome:
    """Send single jobs to an idle worker, each after a pause of its own."""
    await bench.clear()
    waits_ms: list[float] = []
    ids = new_ids(_WARM_UP_SINGLES + bench.size.jobs(_SINGLES))
    async with (
        bench.process(*system_named(OURS).arguments("noop")),
        connect(bench.redis_url) as redis,
    ):
        await enqueue_named(redis, "stamp", ids[:_WARM_UP_SINGLES])
        for job_id in ids[:_WARM_UP_SINGLES]:
            while not await redis.exists(STARTS + job_id):
                await asyncio.sleep(0.01)
        for job_id in ids[_WARM_UP_SINGLES:]:
            await asyncio.sleep(random.uniform(0.01, _LONGEST_PAUSE_S))
            called = time.monotonic_ns()
            await enqueue_named(redis, "stamp", [job_id])
            while (began := await redis.lindex(STARTS + job_id, 0)) is None:
                await asyncio.sleep(0.005)
            waits_ms.append((int(began) - called) / 1e6)
    results = (Result("pickup", OURS, statistics.median(waits_ms), "ms", tuple(waits_ms)),)
    return Outcome(
        results, {"pickup_p50_ms": percentile(waits_ms, 0.5), "pickup_p99_ms": percentile(waits_ms, 0.99)}
    )
