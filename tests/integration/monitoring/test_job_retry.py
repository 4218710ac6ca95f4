"""`hospital-worker jobs retry`: which jobs it retries, what it says of others, and its record."""

import json
from typing import Any

import pytest

from tests.integration.monitoring.conftest import Planted
from tests.integration.monitoring.test_explained_jobs import (
    JOB,
    aborted,
    dead,
    finished,
    leased,
    never_seen,
    not_readable,
    retried,
    scheduled,
    waiting,
)
from tests.integration.monitoring.test_pause_commands import BY, actions
from worker.contract import DEFAULT_QUEUE
from worker.queue import keys
from worker.queue.actions import MOST_WAITING
from worker.queue.run_now import run_now


async def test_a_job_that_waits_for_its_next_try_runs_now(planted: Planted) -> None:
    await retried(planted)

    done = await planted.command("jobs", "retry", JOB, *BY)

    assert (done.code, done.out, done.err) == (0, f"retried: {JOB} (was deferred)\n", "")
    job = await planted.claim()
    assert (job.job_id, job.tries) == (JOB.encode(), 2)
    (found,) = await actions(planted)
    assert (found.actor, found.act, found.target, found.ids, found.result, found.reason) == (
        "ops@vm",
        "retry",
        "job",
        (JOB,),
        "asked for",
        "a deploy",
    )


async def test_a_worker_is_woken_for_it(planted: Planted) -> None:
    await retried(planted)
    await planted.redis.delete(DEFAULT_QUEUE + keys.WAKEUP_SUFFIX)

    await planted.command("jobs", "retry", JOB)

    assert await planted.redis.llen(DEFAULT_QUEUE + keys.WAKEUP_SUFFIX) == 1


async def test_a_dead_letter_returns_to_its_queue_with_a_full_retry_budget(planted: Planted) -> None:
    await dead(planted)
    await planted.redis.set(keys.DEAD_PAYLOAD + JOB, b"{}")

    done = await planted.command("jobs", "retry", JOB, *BY)

    assert (done.code, done.out, done.err) == (0, f"retried: {JOB} (was dead)\n", "")
    assert not await planted.redis.hexists(keys.DEAD, JOB)
    job = await planted.claim()
    assert (job.job_id, job.payload, job.tries) == (JOB.encode(), b"{}", 1)
    (found,) = await actions(planted)
    assert (found.act, found.target, found.ids, found.reason) == ("retry", "dead letters", (JOB,), "a deploy")


NOT_RETRIED = [
    (waiting, "waits behind 2 due jobs"),
    (scheduled, "is deferred until "),
    (leased, "is leased by worker "),
    (finished, "finished 2"),
    (aborted, "was aborted 2"),
    (not_readable, "has a result that is not readable"),
    (never_seen, "is not known: it was never enqueued"),
]


@pytest.mark.parametrize(("plant", "reason"), NOT_RETRIED, ids=lambda value: getattr(value, "__name__", ""))
async def test_every_other_job_is_left_as_it_is_and_the_answer_says_why(
    planted: Planted, plant: Any, reason: str
) -> None:
    await plant(planted)
    before = await planted.redis.zrange(DEFAULT_QUEUE, 0, -1, withscores=True)

    done = await planted.command("jobs", "retry", JOB)
    as_json = await planted.command("jobs", "retry", JOB, "--json")

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"hospital-worker: nothing to retry: {JOB} {reason}")
    assert as_json.code == 1
    shown = json.loads(as_json.out)
    assert (shown["retried"], shown["reason"].startswith(reason)) == (False, True)
    assert await planted.redis.zrange(DEFAULT_QUEUE, 0, -1, withscores=True) == before
    assert await actions(planted) == []


async def test_json_names_the_state_that_it_had(planted: Planted) -> None:
    await retried(planted)

    done = await planted.command("jobs", "retry", JOB, "--json")

    shown = json.loads(done.out)
    assert (done.code, shown["job_id"], shown["retried"], shown["state"]) == (0, JOB, True, "deferred")
    assert "patient" not in done.out


async def test_a_dead_letter_without_a_payload_stays(planted: Planted) -> None:
    await dead(planted)
    stored = json.loads(await planted.redis.hget(keys.DEAD, JOB))
    await planted.redis.hset(keys.DEAD, JOB, json.dumps(stored | {"payload_bytes": 0}))

    done = await planted.command("jobs", "retry", JOB)

    assert (done.code, done.out) == (1, "")
    assert await planted.redis.hexists(keys.DEAD, JOB)


async def test_a_dead_letter_of_whose_id_a_job_waits_stays(planted: Planted) -> None:
    await dead(planted)
    await planted.redis.set(keys.DEAD_PAYLOAD + JOB, b"{}")
    await planted.redis.set(keys.JOB + JOB, b"another")

    done = await planted.command("jobs", "retry", JOB)

    assert (done.code, "or it has changed meanwhile" in done.err) == (1, True)
    assert await planted.redis.hexists(keys.DEAD, JOB)
    assert await planted.redis.get(keys.JOB + JOB) == b"another"


async def test_a_job_that_was_claimed_or_has_left_its_queue_meanwhile_is_not_touched(planted: Planted) -> None:
    assert not await run_now(planted.redis, JOB.encode(), DEFAULT_QUEUE)
    await leased(planted)
    lease_end = await planted.redis.zscore(DEFAULT_QUEUE, JOB)

    assert not await run_now(planted.redis, JOB.encode(), DEFAULT_QUEUE)

    assert await planted.redis.zscore(DEFAULT_QUEUE, JOB) == lease_end
    assert await planted.redis.zcard(DEFAULT_QUEUE) == 1


async def test_a_job_that_is_to_be_aborted_is_not_retried(planted: Planted) -> None:
    await retried(planted)
    await planted.redis.zadd(keys.ABORT, {JOB: 2**52})

    assert (await planted.command("jobs", "retry", JOB)).code == 1


async def test_an_id_of_bytes_that_are_not_utf_8_is_found(planted: Planted) -> None:
    job_id = b"\xff".decode(errors="surrogateescape")
    assert (await planted.command("jobs", "retry", job_id)).code == 1
    await retried(planted)
    await planted.redis.rename(keys.HISTORY + JOB, keys.HISTORY.encode() + b"\xff")
    due = await planted.redis.zscore(DEFAULT_QUEUE, JOB)
    await planted.redis.zadd(DEFAULT_QUEUE, {b"\xff": due})

    done = await planted.command("jobs", "retry", job_id)

    assert (done.code, done.out) == (0, "retried: \\udcff (was deferred)\n")
    assert await planted.redis.zscore(DEFAULT_QUEUE, b"\xff") < due
    assert [action.ids for action in await actions(planted)] == [("\\xff",)]


async def test_nothing_is_retried_that_cannot_be_recorded_or_reached(planted: Planted) -> None:
    await retried(planted)
    due = await planted.redis.zscore(DEFAULT_QUEUE, JOB)
    await planted.redis.hset(keys.ACTIONS, mapping={f"old-{number}": "{}" for number in range(MOST_WAITING)})

    full = await planted.command("jobs", "retry", JOB)
    gone = await planted.command("jobs", "retry", JOB, REDIS_URL="redis://127.0.0.1:1")

    assert (full.code, full.out) == (gone.code, gone.out) == (2, "")
    assert "so nothing was done" in full.err
    assert await planted.redis.zscore(DEFAULT_QUEUE, JOB) == due
