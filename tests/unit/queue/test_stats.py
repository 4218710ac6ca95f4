import json
from datetime import timedelta
from typing import Any

import pytest

from tests.redis_scripts.script_bench import ScriptBench
from worker.queue import keys
from worker.queue.heartbeats import Heartbeat, redis_time, write_heartbeat
from worker.queue.scripts import QueueCounts
from worker.queue.stats import QueueState, read_stats


@pytest.mark.parametrize(
    ("counts", "state"),
    [
        (QueueCounts(total=10, due=4, in_flight=3, oldest_ms=7_500), QueueState(4, 3, 3, 2.5)),
        (QueueCounts(total=0, due=0, in_flight=0, oldest_ms=-1), QueueState(0, 0, 0, 0.0)),
        # Read at two instants, figures may not add up; none is told as less than nothing.
        (QueueCounts(total=2, due=2, in_flight=1, oldest_ms=11_000), QueueState(2, 0, 1, 0.0)),
    ],
)
def test_a_queues_state_follows_from_its_counts(counts: QueueCounts, state: QueueState) -> None:
    assert QueueState.of(counts, now_ms=10_000) == state


async def test_the_whole_queue_is_told(redis: Any, bench: ScriptBench) -> None:
    await bench.enqueue("flying")
    await bench.claim()
    await bench.enqueue("waiting", "dead")
    await bench.redis.zadd(bench.queue, {bench.id("waiting"): await bench.now_ms() - 60_000})
    await bench.finish((await bench.claim(wanted=2)).jobs[1], "dead", record=b"dead letter")
    await bench.let_lease_end("waiting")
    await bench.enqueue("deferred", queue=bench.bulk, delay_ms=60_000)
    now = await redis_time(redis)
    met = int(now.timestamp() * 1000)
    await redis.zadd(keys.UNKNOWN, {"zeta": met, b"\xff": met, "alpha": met, "known by now": met - 61_000})
    said = Heartbeat(
        worker="one",
        host="h",
        pid=1,
        ready=True,
        queues=[bench.queue],
        slots=3,
        running=1,
        complete=0,
        retried=0,
        failed=0,
        started_at=now,
        at=now - timedelta(seconds=10),
    )
    await write_heartbeat(redis, said)

    state = await read_stats(redis, bench.queues)

    assert state.queues == {
        bench.queue: QueueState(waiting=0, deferred=0, in_flight=2, oldest_wait_s=0),
        bench.bulk: QueueState(waiting=0, deferred=1, in_flight=0, oldest_wait_s=0),
    }
    assert state.dead == 1
    assert state.unknown_functions == ["\\xff", "alpha", "zeta"]
    ((heartbeat, age),) = state.workers
    assert heartbeat == said
    assert 10 <= age < 15
    told = json.loads(json.dumps(state.as_json()))
    assert told["queues"][bench.bulk]["deferred"] == 1
    assert (told["workers"][0]["worker"], told["workers"][0]["ready"]) == ("one", True)


async def test_the_oldest_wait_is_counted_from_when_the_job_was_due(redis: Any, bench: ScriptBench) -> None:
    await bench.enqueue("a", "b")
    await bench.redis.zadd(bench.queue, {bench.id("a"): await bench.now_ms() - 60_000})

    state = (await read_stats(redis, (bench.queue,))).queues[bench.queue]

    assert (state.waiting, state.deferred, state.in_flight) == (2, 0, 0)
    assert 60 <= state.oldest_wait_s < 65
