import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.engine.conftest import Bench
from tests.support.dead_letters import store_dead_letter
from tests.unit.engine.conftest import KeptEvents
from worker.engine.context import EngineContext
from worker.engine.dead_letter_archive import DeadLetterArchive, DeadLetterLimits, newest_within
from worker.engine.events import DeadLettersMoved, DeadLettersNotMoved
from worker.engine.worker import LeaseWorker
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter, Failure, payload_digest
from worker.redis.limits import ValueLimit

DAY_MS = 86_400_000


async def make_context(bench: Bench) -> tuple[EngineContext, KeptEvents]:
    worker = LeaseWorker([_nothing], redis_pool=bench.redis, handle_signals=False)
    events = KeptEvents()
    return dataclasses.replace(worker._make_context(ValueLimit(bench.redis)), events=events), events


async def _nothing(ctx: dict[str, Any]) -> None:
    """Be a worker's only function."""


async def fill(bench: Bench, count: int, payload: bytes = b"payload") -> list[str]:
    """Store dead letters as this version does, one for each day until today; return their ids, oldest first."""
    seconds, _ = await bench.redis.time()
    job_ids = [f"job-{number:03}" for number in range(count)]
    for number, job_id in enumerate(job_ids):
        dead_letter = DeadLetter(
            job_id=job_id,
            function="f",
            queue=bench.queue,
            payload_bytes=len(payload),
            payload_digest=payload_digest(payload),
            reason="r",
            failure=Failure(type="ValueError", message="x", tries=1, at_ms=1),
            crashes=0,
            worker="w",
        )
        await store_dead_letter(bench.redis, dead_letter, seconds * 1_000 - (count - 1 - number) * DAY_MS)
        await bench.redis.set(keys.DEAD_PAYLOAD + job_id, payload)
    return job_ids


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ({"count": 10}, 10),
        ({"count": 0}, 0),
        ({"count": 300}, 250),
        ({"days": 6.5}, 7),
        ({"days": 6.5, "count": 3}, 3),
        ({"bytes": 10**9}, 250),
        ({"bytes": 0}, 0),
    ],
    ids=str,
)
async def test_the_oldest_beyond_a_bound_are_in_the_file_and_the_others_in_redis(
    own_bench: Bench, tmp_path: Path, limits: dict[str, Any], kept: int
) -> None:
    context, events = await make_context(own_bench)
    job_ids = await fill(own_bench, 250)

    await DeadLetterArchive(context, DeadLetterLimits(folder=tmp_path, **limits)).trim()

    left = [dead_letter.job_id async for dead_letter in own_bench.dead_letters.all()]
    assert left == job_ids[len(job_ids) - kept :]
    lines = [json.loads(line) for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
    assert [line["job_id"] for line in lines] == job_ids[: len(job_ids) - kept]
    assert all(line["payload"] == "cGF5bG9hZA==" for line in lines)
    assert await own_bench.redis.exists(*(keys.DEAD_PAYLOAD + job_id for job_id in job_ids)) == kept
    assert [event.count for event in events.of(DeadLettersMoved)] == ([250 - kept] if kept < 250 else [])


async def test_bytes_count_payloads(own_bench: Bench, tmp_path: Path) -> None:
    context, _ = await make_context(own_bench)
    job_ids = await fill(own_bench, 20, bytes(10_000))

    await DeadLetterArchive(context, DeadLetterLimits(folder=tmp_path, bytes=55_000)).trim()

    assert [dead_letter.job_id async for dead_letter in own_bench.dead_letters.all()] == job_ids[-5:]


async def test_nothing_leaves_redis_if_the_file_cannot_be_written(own_bench: Bench, tmp_path: Path) -> None:
    context, events = await make_context(own_bench)
    job_ids = await fill(own_bench, 3)

    await DeadLetterArchive(context, DeadLetterLimits(folder=tmp_path / "missing", count=0)).trim()

    assert [dead_letter.job_id async for dead_letter in own_bench.dead_letters.all()] == job_ids
    (event,) = events.sent
    assert isinstance(event, DeadLettersNotMoved)
    assert event.reason == "No such file or directory"


async def test_one_worker_moves_at_a_time(own_bench: Bench, tmp_path: Path) -> None:
    context, events = await make_context(own_bench)
    await fill(own_bench, 3)
    await own_bench.redis.set(keys.DEAD_ARCHIVER, "another")

    await DeadLetterArchive(context, DeadLetterLimits(folder=tmp_path, count=0)).trim()

    assert (await own_bench.redis.hlen(keys.DEAD), events.sent) == (3, [])


async def test_a_lock_that_another_program_has_taken_for_ever_ends(own_bench: Bench, tmp_path: Path) -> None:
    context, _ = await make_context(own_bench)
    await own_bench.redis.set(keys.DEAD_ARCHIVER, "another program")

    await DeadLetterArchive(context, DeadLetterLimits(folder=tmp_path, count=1)).trim()

    assert 0 < await own_bench.redis.pttl(keys.DEAD_ARCHIVER) <= 60_000


async def test_a_dead_letter_that_changed_since_it_was_read_stays(own_bench: Bench) -> None:
    job_ids = await fill(own_bench, 2)
    read = await own_bench.dead_letters.oldest(2, 1_000_000)
    await own_bench.redis.hset(keys.DEAD, job_ids[0], "another")

    assert await own_bench.dead_letters.discard_unchanged(read) == 1

    assert await own_bench.redis.hkeys(keys.DEAD) == [job_ids[0].encode()]


async def test_an_index_entry_without_a_dead_letter_is_removed(own_bench: Bench, tmp_path: Path) -> None:
    context, _ = await make_context(own_bench)
    job_ids = await fill(own_bench, 3)
    await own_bench.redis.hdel(keys.DEAD, job_ids[0])

    await DeadLetterArchive(context, DeadLetterLimits(folder=tmp_path, count=1)).trim()

    assert await own_bench.redis.zrange(keys.DEAD_INDEX, 0, -1) == [job_ids[2].encode()]


@pytest.mark.parametrize(
    ("sizes", "most", "count"), [([], 5, 0), ([5], 5, 1), ([6], 5, 0), ([2, 2, 2], 5, 2), ([0, 0], 0, 2)]
)
def test_as_many_fit_as_add_up_to_the_bound(sizes: list[int], most: int, count: int) -> None:
    assert newest_within(sizes, most) == count
