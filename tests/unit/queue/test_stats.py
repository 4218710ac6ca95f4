import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from redis.exceptions import NoPermissionError

from tests.redis_scripts.script_bench import ScriptBench
from worker.commands.queue_tables import lines
from worker.monitoring.verdict import verdict
from worker.queue import keys
from worker.queue.batches import completion_entry
from worker.queue.heartbeats import Heartbeat, redis_time, write_heartbeat
from worker.queue.scripts import Counts, Enqueue, QueueCounts, Scripts
from worker.queue.stats import QueueState, read_stats


@pytest.mark.parametrize(
    ("counts", "state"),
    [
        (QueueCounts(total=10, due=4, in_flight=3, oldest_ms=7_500), QueueState(4, 3, 3, 2.5)),
        (QueueCounts(total=0, due=0, in_flight=0, oldest_ms=-1), QueueState(0, 0, 0, 0.0)),
        # The counts are read at two instants and may not add up, but no figure is negative.
        (QueueCounts(total=2, due=2, in_flight=1, oldest_ms=11_000), QueueState(2, 0, 1, 0.0)),
    ],
)
def test_the_state_of_a_queue_is_computed_from_its_counts(counts: QueueCounts, state: QueueState) -> None:
    assert QueueState.of(counts, now_ms=10_000) == state


async def test_stats_cover_queues_workers_dead_letters_and_unknown_functions(
    redis: Any, bench: ScriptBench
) -> None:
    await bench.enqueue("running")
    await bench.claim()
    await bench.enqueue("waiting", "dead")
    await bench.redis.zadd(bench.queue, {bench.id("waiting"): await bench.now_ms() - 60_000})
    await bench.finish((await bench.claim(wanted=2)).jobs[1], "dead", record=b"dead letter")
    await bench.let_lease_end("waiting")
    await bench.enqueue("deferred", queue=bench.bulk, delay_ms=60_000)
    now = await redis_time(redis)
    now_ms = int(now.timestamp() * 1000)
    await redis.zadd(keys.UNKNOWN, {"zeta": now_ms, b"\xff": now_ms, "alpha": now_ms, "now known": now_ms - 61_000})
    written = _heartbeat([bench.queue], now - timedelta(seconds=10))
    await write_heartbeat(redis, written)

    state = await read_stats(redis, bench.queues)

    assert state.queues == {
        bench.queue: QueueState(waiting=0, deferred=0, in_flight=2, oldest_wait_s=0),
        bench.bulk: QueueState(waiting=0, deferred=1, in_flight=0, oldest_wait_s=0),
    }
    assert state.dead == 1
    assert state.unknown_functions == ["\\xff", "alpha", "zeta"]
    ((heartbeat, age),) = state.workers
    assert heartbeat == written
    assert 10 <= age < 15
    printed = json.loads(json.dumps(state.as_json()))
    assert printed["queues"][bench.bulk]["deferred"] == 1
    assert printed["outbox"] is None
    assert (printed["workers"][0]["worker"], printed["workers"][0]["ready"]) == ("one", True)


async def test_stats_cover_the_queues_that_only_workers_name(redis: Any, bench: ScriptBench) -> None:
    gone = (await redis_time(redis)) - timedelta(seconds=600)
    await write_heartbeat(redis, _heartbeat([bench.bulk, bench.queue], gone))
    await bench.enqueue("a", "b", queue=bench.bulk)

    state = await read_stats(redis, (bench.queue,))

    assert {queue: it.waiting for queue, it in state.queues.items()} == {bench.queue: 0, bench.bulk: 2}


async def test_stats_name_the_queues_that_may_not_be_read(redis: Any, bench: ScriptBench, monkeypatch: Any) -> None:
    await write_heartbeat(redis, _heartbeat([bench.bulk, "secret"], await redis_time(redis)))
    counted = Scripts.counts

    async def refuse(scripts: Scripts, queues: Sequence[str]) -> Counts:
        if "secret" in queues:
            raise NoPermissionError("No permissions to access a key")
        return await counted(scripts, queues)

    monkeypatch.setattr(Scripts, "counts", refuse)

    state = await read_stats(redis, (bench.queue,))

    assert list(state.queues) == [bench.queue, bench.bulk]
    assert state.as_json()["unreadable_queues"] == ["secret"]
    assert "secret is not shown: this user may not read it in Redis (docs/security.md)" in lines(state)
    assert any("nothing is known of secret" in it.what for it in verdict(state).findings)


async def test_the_oldest_wait_is_counted_from_the_due_time(redis: Any, bench: ScriptBench) -> None:
    await bench.enqueue("a", "b")
    await bench.redis.zadd(bench.queue, {bench.id("a"): await bench.now_ms() - 60_000})

    state = (await read_stats(redis, (bench.queue,))).queues[bench.queue]

    assert (state.waiting, state.deferred, state.in_flight) == (2, 0, 0)
    assert 60 <= state.oldest_wait_s < 65


async def test_stats_have_the_batches_that_run(redis: Any, bench: ScriptBench, monkeypatch: Any) -> None:
    for number, names in enumerate((["a", "b"], ["c"], [])):
        await bench.batches.create(f"batch-{number}", None)
        await bench.redis.hset(keys.BATCH + f"batch-{number}", "created", 1_000 - number)
        if names:
            await bench.scripts.enqueue([Enqueue(it, bench.queue, b"{}") for it in names], f"batch-{number}")
    (job,) = (await bench.claim(wanted=1)).jobs
    await bench.finish(job, batch=completion_entry("batch-0", "complete", {"created": 990}))
    # One has ended, and one was overwritten by another program.
    await bench.batches.seal("batch-2")
    await bench.batches.create("foreign", None)
    await redis.delete(keys.BATCH + "foreign")
    await redis.set(keys.BATCH + "foreign", "text")

    state = await read_stats(redis, (bench.queue,))

    assert [(it.batch_id, it.total, it.ended, it.outcomes) for it in state.batches] == [
        ("batch-1", 1, 0, {}),
        ("batch-0", 2, 1, {"complete": 1}),
    ]
    printed = json.loads(json.dumps(state.as_json()))
    assert printed["batches"][1] == {
        "batch": "batch-0",
        "state": "open",
        "total": 2,
        "done": 1,
        "outcomes": {"complete": 1},
        "counts": {"created": 990},
        "created_at": "1970-01-01T00:00:01+00:00",
    }
    assert printed["more_batches"] == 0
    monkeypatch.setattr("worker.queue.stats._MOST_BATCHES", 1)
    assert (await read_stats(redis, (bench.queue,))).more_batches == 2


def _heartbeat(queues: list[str], at: datetime) -> Heartbeat:
    return Heartbeat(
        worker="one",
        host="h",
        pid=1,
        ready=True,
        queues=queues,
        slots=3,
        running=1,
        complete=0,
        retried=0,
        failed=0,
        started_at=at,
        at=at,
    )
