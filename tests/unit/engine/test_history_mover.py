"""When ended jobs are moved, how many at a time, and what stays; on a simulated Redis."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from redis.exceptions import NoPermissionError, ResponseError

from worker.contract.job_ends import EndGroup
from worker.engine.events import EndsLeftOut, Events, HistoryNotMoved
from worker.engine.history_mover import HistoryMover
from worker.errors import OutageError
from worker.queue import keys


class Store:
    """Keeps what is moved, unless it is told to fail."""

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.error: Exception | None = None

    async def __call__(self, groups: Sequence[EndGroup]) -> None:
        if self.error is not None:
            raise self.error
        self.stored += [past.end.job_id for group in groups for past in group.ends()]


class Bench:
    """A mover of one worker, with a switch for whether jobs run, and the events that it has sent."""

    def __init__(self, redis: Any) -> None:
        self.redis, self.store, self.is_busy = redis, Store(), False
        self.sent: list[object] = []
        events = Events()
        for kind in (HistoryNotMoved, EndsLeftOut):
            events.subscribe(kind, self.sent.append)
        context: Any = SimpleNamespace(redis=redis, worker_id="worker", events=events)
        self.context = context
        self.mover = HistoryMover(context, self.store, lambda: self.is_busy)

    async def end(self, *names: str) -> None:
        async with self.redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.xadd(keys.ENDED, {"t": f'["worker", ["{name}"]]'})
            await pipe.execute()

    async def left(self) -> int:
        return int(await self.redis.xlen(keys.ENDED))


@pytest.fixture
def bench(redis: Any) -> Bench:
    return Bench(redis)


def names(count: int) -> list[str]:
    return [f"job-{number}" for number in range(count)]


async def test_an_idle_worker_moves_everything_the_oldest_first(bench: Bench) -> None:
    await bench.end(*names(150))

    await bench.mover.move()

    assert bench.store.stored == names(150)
    assert await bench.left() == 0
    assert not await bench.redis.exists(keys.ENDED_MOVER)


async def test_a_busy_worker_moves_a_little_at_a_time(bench: Bench) -> None:
    bench.is_busy = True
    await bench.end(*names(150))

    await bench.mover.move()

    assert bench.store.stored == names(2)
    assert await bench.left() == 148


async def test_a_busy_worker_moves_more_if_much_waits(bench: Bench) -> None:
    bench.is_busy = True
    await bench.end(*names(2_050))

    await bench.mover.move()

    assert 1_900 < await bench.left() < 2_000


async def test_what_cannot_be_stored_stays_and_is_reported_once(bench: Bench) -> None:
    await bench.end("a", "b")
    bench.store.error = OutageError("MongoDB is unavailable")
    await bench.mover.move()
    await bench.mover.move()
    assert bench.sent == [HistoryNotMoved("MongoDB is unavailable")]
    assert await bench.left() == 2

    bench.store.error = None
    await bench.mover.move()
    assert bench.store.stored == ["a", "b"]

    await bench.end("c")
    bench.store.error = OutageError("MongoDB is unavailable")
    await bench.mover.move()
    assert bench.sent == [HistoryNotMoved("MongoDB is unavailable")] * 2


async def test_one_worker_moves_at_a_time(bench: Bench) -> None:
    await bench.end("a")
    await bench.redis.set(keys.ENDED_MOVER, "another", px=10_000)

    await bench.mover.move()

    assert bench.store.stored == []
    assert await bench.redis.get(keys.ENDED_MOVER) == b"another"


async def test_a_lock_without_an_expiry_is_given_one(bench: Bench) -> None:
    await bench.redis.set(keys.ENDED_MOVER, "another program")

    await bench.mover.move()

    assert 0 < await bench.redis.pttl(keys.ENDED_MOVER) <= 15_000


async def test_keys_of_other_programs_stay(bench: Bench) -> None:
    async def replaced_meanwhile(groups: Sequence[EndGroup]) -> None:
        await bench.redis.delete(keys.ENDED_MOVER)
        await bench.redis.rpush(keys.ENDED_MOVER, "foreign")

    await bench.end("a")
    mover = HistoryMover(bench.context, replaced_meanwhile, lambda: False)
    for _ in range(2):
        await mover.move()
    assert await bench.redis.lrange(keys.ENDED_MOVER, 0, -1) == [b"foreign"]
    assert await bench.redis.pttl(keys.ENDED_MOVER) == -1
    await bench.redis.delete(keys.ENDED_MOVER)

    await bench.redis.rpush(keys.ENDED_LEFT_OUT, "foreign")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await bench.mover.move()
    assert await bench.redis.lrange(keys.ENDED_LEFT_OUT, 0, -1) == [b"foreign"]


async def test_a_lock_that_another_worker_has_meanwhile_stays_its_own(bench: Bench) -> None:
    async def held_up(groups: Sequence[EndGroup]) -> None:
        await bench.redis.set(keys.ENDED_MOVER, "another", px=10_000)

    await bench.end("a")
    await HistoryMover(bench.context, held_up, lambda: False).move()

    assert await bench.redis.get(keys.ENDED_MOVER) == b"another"
    assert 0 < await bench.redis.pttl(keys.ENDED_MOVER) <= 10_000


async def test_entries_of_other_programs_are_removed(bench: Bench) -> None:
    await bench.redis.xadd(keys.ENDED, {"foreign": "x"})
    await bench.end("a")

    await bench.mover.move()

    assert (bench.store.stored, await bench.left()) == (["a"], 0)


async def test_ends_that_redis_had_no_room_for_are_reported(bench: Bench) -> None:
    await bench.redis.set(keys.ENDED_LEFT_OUT, 300)

    await bench.mover.move()
    await bench.mover.move()

    assert bench.sent == [EndsLeftOut(300)]


async def test_without_the_permission_the_worker_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any, **__: Any) -> None:
        raise NoPermissionError("secret arguments")

    monkeypatch.setattr(bench.redis, "xrange", refuse)
    await bench.mover.move()
    await bench.mover.move()

    (reported,) = bench.sent
    assert reported == HistoryNotMoved(
        "the user in Redis may not use streams; compare its rules with docs/security.md"
    )
