"""A queue's rate holds over four worker processes, and through the crash of one."""

import functools
import signal
from collections.abc import Sequence

import pytest

from tests.acceptance.conftest import Site
from worker.codec import Codec
from worker.contract import DEFAULT_QUEUE
from worker.queue.scripts import Enqueue

RATE = 200
# In each part: before a worker is killed, and after.
SECONDS = 6
# What a worker does not claim within 100 ms, because others compute, does not come later.
LEAST, MOST = 0.8 * RATE, 1.03 * RATE
STARTS = "arq:starts"


async def put(site: Site, jobs: int) -> None:
    envelope = Codec().encode({"t": None, "f": "noting", "a": [], "k": {}, "et": 1})
    await site.scripts.enqueue([Enqueue(f"noting:{number}", DEFAULT_QUEUE, envelope) for number in range(jobs)])


async def starts(site: Site) -> list[float]:
    """Return when jobs have started, in seconds."""
    return sorted(int(text) / 1_000_000 for text in await site.redis.lrange(STARTS, 0, -1))


def per_second(times: Sequence[float], begin: float) -> float:
    """Return how many jobs started in each of the `SECONDS` from `begin` on."""
    return sum(begin <= time < begin + SECONDS for time in times) / SECONDS


@pytest.mark.timeout(110)
async def test_a_rate_holds_over_four_workers_and_through_the_crash_of_one(site: Site) -> None:
    settings = {"QUEUE_RATES": f"{DEFAULT_QUEUE}={RATE}", "WORKER_HISTORY_DAYS": "0", "WORKER_LEASE": "4"}
    workers = [await site.start("noting_settings.WorkerSettings", **settings) for _ in range(4)]
    for worker in workers:
        await site.until(functools.partial(site.is_ready, worker), 60)
    await put(site, RATE * (2 * SECONDS + 2))

    # Without the first moment, in which what the bucket has saved starts at once.
    first = min(await site.until(lambda: starts(site))) + 0.5
    await site.until(lambda: _passed(site, first + SECONDS), 30)
    workers[0].send(signal.SIGKILL)
    killed = max(await starts(site))
    await site.until(lambda: _passed(site, killed + SECONDS), 30)

    times = await starts(site)
    assert LEAST <= per_second(times, first) <= MOST
    assert LEAST <= per_second(times, killed) <= MOST


async def _passed(site: Site, instant: float) -> bool:
    newest = await site.redis.lindex(STARTS, -1)
    return int(newest) / 1_000_000 > instant
