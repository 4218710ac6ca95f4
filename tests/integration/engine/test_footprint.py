"""How many commands the engine makes Redis run, by Redis's own count."""

import asyncio
from typing import Any

from arq.worker import func

from tests.integration.engine.conftest import Bench
from worker.codec import Codec
from worker.queue.dead_letter_store import DeadLetterStore
from worker.queue.job_state import look_up
from worker.queue.scripts import Enqueue
from worker.queue.stats import read_stats

SCANNING = {"keys", "scan", "randomkey", "dbsize"}


async def fine(ctx: dict[str, Any]) -> str:
    return "fine"


async def _calls(bench: Bench) -> dict[str, int]:
    """How often each command has run so far, including those inside scripts."""
    stats = await bench.redis.info("commandstats")
    return {name.removeprefix("cmdstat_"): command["calls"] for name, command in stats.items()}


async def _fill(bench: Bench, jobs: int, prefix: str) -> None:
    envelope = bench.envelope("fine")
    await bench.scripts.enqueue(
        [Enqueue(f"{bench.queue}-{prefix}-{n}", bench.queue, envelope) for n in range(jobs)]
    )


async def test_jobs_are_claimed_and_completed_in_groups(own_bench: Bench) -> None:
    """arq's worker makes four round trips to claim one job, and more to complete it."""
    await _fill(own_bench, 1_000, "job")
    before = await _calls(own_bench)
    worker = await own_bench.burst(fine, max_jobs=100)
    after = await _calls(own_bench)
    assert worker.jobs_complete == 1_000
    assert after["evalsha"] - before["evalsha"] <= 100


async def _claim(bench: Bench, jobs: int) -> None:
    claim = await bench.scripts.claim("token", 60_000, jobs, [(bench.queue, jobs)])
    assert len(claim.jobs) == jobs


async def test_the_cost_of_a_claim_does_not_grow_with_the_jobs_in_flight(own_bench: Bench) -> None:
    bench = own_bench

    async def cost(name: str) -> int:
        await _fill(bench, 10, name)
        before = sum((await _calls(bench)).values())
        await _claim(bench, 10)
        return sum((await _calls(bench)).values()) - before

    # The first claim loads the script.
    await cost("first")
    alone = await cost("alone")
    await _fill(bench, 3_000, "in flight")
    await _claim(bench, 3_000)
    assert await cost("among many") == alone


async def test_nothing_scans_the_key_space(own_bench: Bench) -> None:
    bench, open_gate = own_bench, asyncio.Event()

    async def wrong(ctx: dict[str, Any]) -> None:
        raise ValueError("wrong")

    async def gated(ctx: dict[str, Any]) -> None:
        await open_gate.wait()

    before = await _calls(bench)
    async with bench.serving(fine, func(wrong, name="wrong"), func(gated, name="gated")):
        await bench.outcome(await bench.put("fine"))
        dead, held = await bench.put("wrong"), await bench.put("gated")
        await bench.dead_letter(dead)
        await read_stats(bench.redis, (bench.queue,))
        assert (await look_up(bench.redis, Codec(), dead)).state == "dead"
        dead_letters = DeadLetterStore(bench.redis)
        assert [dead_letter.job_id async for dead_letter in dead_letters.all()] == [dead]
        assert await bench.job(held).abort(timeout=5, poll_delay=0.05)
    after = await _calls(bench)
    assert after["evalsha"] > before.get("evalsha", 0)
    scans = {name: after.get(name, 0) - before.get(name, 0) for name in SCANNING}
    # arq calls DBSIZE once, when a worker starts; Redis answers that without a scan.
    assert scans == {"keys": 0, "scan": 0, "randomkey": 0, "dbsize": 1}
