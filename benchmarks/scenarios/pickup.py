"""How long a job waits for an idle worker: from the enqueue call until its first line runs."""

import asyncio
import random
import time

from benchmarks.bench import Bench, connect
from benchmarks.harness import OURS, Outcome, Result, percentile
from benchmarks.systems import system_named
from benchmarks.systems.ours_system import enqueue_named, new_ids, nth_start

_SINGLES = 600
_WARM_UP_SINGLES = 20
_LONGEST_PAUSE_S = 0.04


async def run(bench: Bench) -> Outcome:
    """Send single jobs to an idle worker, each after a random pause."""
    await bench.clear()
    ids = new_ids(_WARM_UP_SINGLES + bench.size.jobs(_SINGLES))
    waits_ms: list[float] = []
    async with bench.process(*system_named(OURS).arguments("noop")), connect(bench.redis_url) as redis:
        for job_id in ids:
            await asyncio.sleep(random.uniform(0.01, _LONGEST_PAUSE_S))
            called = time.monotonic_ns()
            await enqueue_named(redis, "stamp", [job_id])
            began = await nth_start(redis, job_id, 1)
            waits_ms.append((began - called) / 1e6)
    del waits_ms[:_WARM_UP_SINGLES]
    return Outcome(
        (Result.of("pickup", OURS, "ms", waits_ms),),
        {"pickup_p50_ms": percentile(waits_ms, 0.5), "pickup_p99_ms": percentile(waits_ms, 0.99)},
    )
