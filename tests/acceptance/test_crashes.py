"""Workers that are killed or stopped, or that a job kills."""

import signal
import time

from tests.acceptance.conftest import Site
from worker.queue import keys

ROUGH = "rough_settings.WorkerSettings"
TAKEN_OVER_WITHIN = 15  # seconds, at the lease's default of 10


async def test_jobs_of_killed_workers_run_again_soon(site: Site) -> None:
    jobs = [f"job-{number}" for number in range(120)]
    for job_id in jobs:
        await site.put("gated", job_id=job_id)
    first = await site.worker(ROUGH)
    await site.until(lambda: _runs(site, 120))
    first.send(signal.SIGKILL)
    await first.ended()
    killed = time.monotonic()
    await site.worker(ROUGH)
    await site.redis.set("gate", 1)
    for job_id in jobs:
        message = await site.result(job_id, TAKEN_OVER_WITHIN)
        # The worker's crash spent no try: the job has only one, and that one succeeded.
        assert (message["s"], message["r"]) == (True, 1)
    assert time.monotonic() - killed < TAKEN_OVER_WITHIN
    assert await site.leases() == 0


async def _runs(site: Site, least: int) -> bool:
    return int(await site.redis.get("runs") or 0) >= least


async def test_a_terminated_worker_lets_its_jobs_end(site: Site) -> None:
    for number in range(20):
        await site.put("gated", job_id=f"job-{number}")
    worker = await site.worker(ROUGH)
    await site.until(lambda: _runs(site, 20))
    worker.send(signal.SIGTERM)
    await site.until(lambda: "action=shutdown" in worker.log)
    await site.redis.set("gate", 1)
    assert await worker.ended() == 0
    assert [(await site.result(f"job-{number}", 1))["r"] for number in range(20)] == [1] * 20
    assert await site.leases() == 0


async def test_jobs_that_do_not_finish_are_handed_back(site: Site) -> None:
    for number in range(20):
        await site.put("gated", job_id=f"job-{number}")
    by_grace = await site.worker(ROUGH, WORKER_GRACE_PERIOD="0.5")
    await site.until(lambda: _runs(site, 20))
    by_grace.send(signal.SIGTERM)
    assert await by_grace.ended(8) == 0
    assert await _untouched(site)
    by_second_signal = await site.worker(ROUGH, WORKER_GRACE_PERIOD="60")
    await site.until(lambda: _runs(site, 40))
    by_second_signal.send(signal.SIGTERM)
    await site.until(lambda: "action=shutdown" in by_second_signal.log)
    by_second_signal.send(signal.SIGTERM)
    assert await by_second_signal.ended(8) == 0
    assert await _untouched(site)


async def _untouched(site: Site) -> bool:
    left = [await site.redis.exists(keys.TRIES + f"job-{number}") for number in range(20)]
    return await site.redis.zcard("arq:queue") == 20 and await site.leases() == 0 and not any(left)


async def test_a_job_that_kills_its_worker_is_dead_lettered_and_its_neighbours_complete(site: Site) -> None:
    neighbours = [f"neighbour-{number}" for number in range(9)]
    for number, job_id in enumerate(neighbours):
        if number == 4:
            await site.put("killer", job_id="killer")
        await site.put("neighbour", job_id=job_id)
    for _ in range(3):
        worker = await site.start(ROUGH, WORKER_LEASE="4")
        assert await worker.ended(30) == -signal.SIGKILL
    last = await site.worker(ROUGH, WORKER_LEASE="4")
    await site.until(lambda: site.redis.hexists(keys.DEAD, "killer"), 30)
    dead_letter = await site.dead_letters.get("killer")
    assert (dead_letter.function, dead_letter.failure.type, dead_letter.crashes) == ("killer", "LeaseLost", 3)
    for job_id in neighbours:
        message = await site.result(job_id, 30)
        assert (message["s"], message["r"]) == (True, 1)
    assert await site.redis.hlen(keys.DEAD) == 1
    assert int(await site.redis.get("kills")) == 3
    last.send(signal.SIGTERM)
    assert await last.ended() == 0


async def test_an_exit_in_a_task_of_a_job_does_not_end_the_worker(site: Site) -> None:
    worker = await site.worker(ROUGH)
    await site.put("exiting", job_id="exiting")
    await site.until(lambda: site.redis.hexists(keys.DEAD, "exiting"))
    await site.put("neighbour", job_id="after")
    assert (await site.result("after"))["r"] == 1
    assert "action=exit_refused" in worker.log
    worker.send(signal.SIGTERM)
    assert await worker.ended() == 0


async def test_a_frozen_worker_cannot_complete_a_job_that_another_took_over(site: Site) -> None:
    await site.put("gated", job_id="job")
    frozen = await site.worker(ROUGH, WORKER_LEASE="4")
    await site.until(lambda: _runs(site, 1))
    frozen.send(signal.SIGSTOP)
    taker = await site.worker(ROUGH, WORKER_LEASE="4")
    await site.until(lambda: _runs(site, 2))
    frozen.send(signal.SIGCONT)
    await site.until(lambda: "action=lease_lost" in frozen.log)
    await site.redis.set("gate", 1)
    assert (await site.result("job"))["s"]
    for worker in (frozen, taker):
        worker.send(signal.SIGTERM)
        assert await worker.ended() == 0
