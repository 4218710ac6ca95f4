"""Queues of sources that take turns, and queues with a rate, with real workers."""

import time
from typing import Any, cast

from arq.worker import func

from tests.integration.engine.conftest import Bench
from worker.engine.events import Claimed
from worker.queue import keys

SLOTS = 10


class Starts:
    """A job that notes, of which queue it is, in the order of the starts."""

    def __init__(self) -> None:
        self.queues: list[str] = []

    def function(self) -> Any:
        async def started(_ctx: dict[str, Any], queue: str) -> None:
            self.queues.append(queue)

        return func(cast(Any, started), name="started")


async def put(bench: Bench, queue: str, jobs: int) -> None:
    for _ in range(jobs):
        await bench.put("started", queue, queue=queue)


async def test_a_source_with_few_jobs_does_not_wait_for_one_with_many(bench: Bench) -> None:
    starts = Starts()
    await put(bench, bench.queue, 400)
    await put(bench, bench.bulk, 40)

    await bench.burst(
        starts.function(),
        max_jobs=SLOTS,
        queues={bench.queue: SLOTS, bench.bulk: SLOTS},
        source_queues={"many": bench.queue, "few": bench.bulk},
    )

    assert (starts.queues.count(bench.queue), starts.queues.count(bench.bulk)) == (400, 40)
    last = max(place for place, queue in enumerate(starts.queues) if queue == bench.bulk)
    assert starts.queues[:last].count(bench.queue) <= 40 + 2 * SLOTS


async def test_a_source_gets_all_slots_while_the_others_have_no_jobs(bench: Bench) -> None:
    claims: list[Claimed] = []
    worker = bench.worker(
        Starts().function(),
        burst=True,
        max_jobs=SLOTS,
        queues={bench.queue: SLOTS, bench.bulk: SLOTS},
        source_queues={"many": bench.queue, "none": bench.bulk},
    )
    worker.events.subscribe(Claimed, claims.append)
    await put(bench, bench.queue, SLOTS)

    await worker.async_run()
    await worker.close()

    assert claims[0].jobs == SLOTS


async def test_a_rate_holds_without_many_claims(bench: Bench) -> None:
    claims: list[Claimed] = []
    starts = Starts()
    worker = bench.worker(starts.function(), burst=True, rate_limits={bench.queue: 50.0}, poll_delay=5)
    worker.events.subscribe(Claimed, claims.append)
    await put(bench, bench.queue, 25)

    began = time.monotonic()
    await worker.async_run()
    seconds = time.monotonic() - began
    await worker.close()

    assert len(starts.queues) == 25
    # Five at once, and the others 20 ms after one another.
    assert seconds >= 0.39
    # Some for each token: it comes, another worker is woken, a slot is free again. Not one for each millisecond.
    assert len(claims) <= 4 * 25
    # The first one takes what the bucket has saved, and the last one finds nothing more.
    assert [claims[0].held_back, claims[-1].held_back] == [{bench.queue}, frozenset()]


async def test_what_another_program_wrote_does_not_stop_a_queue_with_a_rate(bench: Bench) -> None:
    starts = Starts()
    await bench.redis.rpush(bench.queue + keys.RATE_SUFFIX, "foreign")
    await put(bench, bench.queue, 3)

    await bench.burst(starts.function(), rate_limits={bench.queue: 100.0})

    assert len(starts.queues) == 3
