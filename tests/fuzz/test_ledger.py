"""The ledger detects a job that is lost, wrongly accepted, retried, ended twice, or not completely removed."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from tests.acceptance.conftest import Site
from tests.fuzz.envelopes import Envelopes, FuzzedJob
from tests.fuzz.ledger import Ledger
from worker.queue import keys

GOOD: dict[str, Any] = {"s": True, "r": {"status": "created"}}
BAD: dict[str, Any] = {"s": False, "r": None}


def dead_letter_of(job: FuzzedJob, **changes: Any) -> dict[str, Any]:
    dead_letter = {"payload": base64.b64encode(job.payload).decode(), "reason": "permanent error", "crashes": 0}
    return dead_letter | {"failure": {"tries": 1, "type": "InvalidEnvelope"}} | changes


@pytest_asyncio.fixture
async def ledger(site: Site) -> AsyncIterator[Ledger]:
    yield Ledger(site.redis)


async def end(
    site: Site, job: FuzzedJob, result: dict[str, Any] | None, dead_letter: dict[str, Any] | None
) -> None:
    """End a job as a worker would, with this result and this dead letter."""
    await site.redis.zrem(job.queue, job.job_id)
    await site.redis.delete(keys.JOB.encode() + job.job_id)
    if result is not None:
        await site.redis.set(keys.RESULT.encode() + job.job_id, orjson.dumps(result))
    if dead_letter is not None:
        await site.redis.hset(keys.DEAD, job.job_id, orjson.dumps(dead_letter))
        await site.redis.zadd(keys.DEAD_INDEX, {job.job_id: 1})


async def test_the_ledger_detects_each_wrong_result(site: Site, ledger: Ledger) -> None:
    job = FuzzedJob("broken", b"fuzz:1:1", "arq:queue", b"{", "dead")
    wrong: dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None]] = {
        "no result": (None, None),
        "was accepted": (GOOD, None),
        "neither done nor dead": (BAD, None),
        "done and dead": (GOOD, dead_letter_of(job)),
        "tries": (BAD, dead_letter_of(job, failure={"tries": 2})),
        "8 of 8": (BAD, dead_letter_of(job, reason="8 of 8 tries")),
        "broken": (BAD, dead_letter_of(job, payload="")),
    }
    for message, (result, dead_letter) in wrong.items():
        await ledger.put([job])
        await end(site, job, result, dead_letter)
        with pytest.raises(AssertionError, match=message):
            await ledger.settle([job])
        await site.redis.delete(keys.RESULT.encode() + job.job_id, keys.DEAD, keys.DEAD_INDEX)
    assert ledger.tally.total == 0


async def test_the_ledger_detects_leftover_keys(site: Site, ledger: Ledger) -> None:
    job = FuzzedJob("valid", b"fuzz:1:1", "arq:queue", b"{}", "done", outcome={"status": "created"})
    await ledger.put([job])
    with pytest.raises(AssertionError):
        await ledger.assert_nothing_is_left()
    await end(site, job, GOOD, None)
    await ledger.settle([job])
    assert (ledger.tally.done["valid"], ledger.tally.created) == (1, 1)
    await ledger.assert_nothing_is_left()
    await site.redis.set(keys.TRIES.encode() + job.job_id, 1)
    with pytest.raises(AssertionError):
        await ledger.assert_nothing_is_left()


def test_equal_seeds_give_equal_jobs_of_every_kind() -> None:
    jobs = list(Envelopes(7, signing_key=("k", "secret")).take(3_000))
    assert jobs == list(Envelopes(7, signing_key=("k", "secret")).take(3_000))
    assert jobs != list(Envelopes(8, signing_key=("k", "secret")).take(3_000))
    assert len({job.job_id for job in jobs}) == len(jobs)
    assert len({job.kind for job in jobs}) > 20
    assert 100 < sum(job.kind == "valid" for job in jobs) < 200
