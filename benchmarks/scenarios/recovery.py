"""How long it takes until a job whose worker was killed runs again."""

import asyncio
import random
import time
from contextlib import AsyncExitStack

from arq.connections import ArqRedis

from benchmarks.bench import QUICK, Bench, connect
from benchmarks.harness import OURS, Outcome, Result
from benchmarks.processes import Process
from benchmarks.systems import system_named
from benchmarks.systems.ours_system import enqueue_named, new_ids, nth_start

_KILLED, _KILLED_QUICK = 10, 2


async def run(bench: Bench) -> Outcome:
    """Kill workers with SIGKILL, each on its own queue. One other worker serves all queues."""
    await bench.clear()
    kills = _KILLED_QUICK if bench.size is QUICK else _KILLED
    queues = [f"bench:queue{number}" for number in range(kills)]
    arguments = system_named(OURS).arguments("noop")
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(connect(bench.redis_url))
        job_ids = new_ids(kills)
        victims: list[Process] = []
        for queue, job_id in zip(queues, job_ids, strict=True):
            victim = await stack.enter_async_context(bench.process(*arguments, WORKER_QUEUES=queue))
            victims.append(victim)
            await enqueue_named(redis, "hang", [job_id], queue)
        for job_id in job_ids:
            await nth_start(redis, job_id, 1)
        await stack.enter_async_context(
            bench.process(*arguments, WORKER_QUEUES=",".join(f"{queue}=1" for queue in queues))
        )
        recovered_s = await asyncio.gather(
            *(_recover(redis, victim, job_id) for victim, job_id in zip(victims, job_ids, strict=True))
        )
    return Outcome((Result.of("recovery", OURS, "s", recovered_s),), {"recovery_s": max(recovered_s)})


async def _recover(redis: ArqRedis, victim: Process, job_id: str) -> float:
    # Leases are renewed every quarter of a lease. The kill comes at a random time between two renewals.
    await asyncio.sleep(random.uniform(2, 5))
    killed = time.monotonic_ns()
    victim.kill()
    return (await nth_start(redis, job_id, 2) - killed) / 1e9
