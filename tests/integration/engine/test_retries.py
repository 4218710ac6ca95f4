"""Which failed jobs are retried, when, and how often."""

import asyncio
import time
from typing import Any

import pytest
from arq.worker import Retry, RetryJob, func

from tests.integration.engine.conftest import Bench
from tests.support.failing import Failing
from worker.engine.events import TryEnded
from worker.errors import ConflictError, OutageError, PermanentError, TransientError
from worker.queue import keys
from worker.queue.scripts import Enqueue
from worker.queue.stats import read_stats


@pytest.mark.parametrize(
    ("error", "least", "most"),
    [(TransientError("busy"), 0.25, 0.5), (ConflictError("lost a race"), 0.025, 0.05), (OSError(), 0.25, 0.5)],
    ids=["transient", "conflict", "os"],
)
async def test_conflicts_and_transient_errors_are_retried_with_back_off_and_then_dead_lettered(
    bench: Bench, error: Exception, least: float, most: float
) -> None:
    failing = Failing(lambda _: error)
    job_id = await bench.put("job")
    delays = await _delays(bench, failing.function(), max_tries=3)
    assert failing.tries == [1, 2, 3]
    for number, (delay, pause) in enumerate(zip(delays, failing.pauses, strict=True)):
        assert least * 2**number <= delay <= most * 2**number
        assert delay <= pause
    dead_letter = await bench.dead_letter(job_id)
    assert (dead_letter.failure.type, dead_letter.failure.tries) == (type(error).__name__, 3)
    assert dead_letter.reason == f"3 of 3 tries ended with {type(error).__name__}"
    assert [entry.tries for entry in dead_letter.history] == [1, 2]
    assert await bench.is_settled(job_id)


async def test_a_job_that_succeeds_after_retries_leaves_no_history(bench: Bench) -> None:
    failing = Failing(lambda _: ConflictError("x"), times=2)
    job_id = await bench.put("job")
    worker = await bench.burst(failing.function())
    assert await bench.outcome(job_id) == "done"
    assert (await bench.result(job_id))["t"] == 3
    assert not await bench.redis.exists(keys.HISTORY + job_id)
    assert (worker.jobs_complete, worker.jobs_retried) == (1, 2)


async def test_a_permanent_error_is_dead_lettered_immediately(bench: Bench) -> None:
    failing = Failing(lambda _: PermanentError("never"))
    job_id = await bench.put("job")
    await bench.burst(failing.function())
    assert failing.tries == [1]
    assert (await bench.dead_letter(job_id)).reason == "permanent error"


@pytest.mark.parametrize(("error", "pause"), [(Retry(defer=0.3), 0.3), (Retry(), 0), (RetryJob(), 0)])
async def test_arqs_own_retry_exceptions_set_the_delay(bench: Bench, error: Exception, pause: float) -> None:
    failing = Failing(lambda _: error, times=1)
    job_id = await bench.put("job")
    assert await _delays(bench, failing.function()) == [pause]
    assert await bench.outcome(job_id) == "done"
    assert pause <= failing.pauses[0]


async def _delays(bench: Bench, function: Any, **options: Any) -> list[float]:
    """Run the queued job; return by how many seconds its tries were put off."""
    worker = bench.worker(function, burst=True, **options)
    ended: list[TryEnded] = []
    worker.events.subscribe(TryEnded, ended.append)
    await worker.async_run()
    await worker.close()
    return [event.delay_s for event in ended if event.outcome == "retried"]


async def test_retries_end_at_the_functions_own_limit(bench: Bench) -> None:
    failing = Failing(lambda _: Retry())
    job_id = await bench.put("job")
    await bench.burst(failing.function(max_tries=2), max_tries=9)
    assert failing.tries == [1, 2]
    assert (await bench.dead_letter(job_id)).failure.type == "Retry"


async def test_nothing_is_retried_when_retries_are_switched_off(bench: Bench) -> None:
    failing = Failing(lambda _: TransientError("busy"))
    job_id = await bench.put("job")
    await bench.burst(failing.function(), retry_jobs=False)
    assert failing.tries == [1]
    assert (await bench.dead_letter(job_id)).reason == "retries are switched off"


async def test_a_job_that_raises_cancelled_error_spends_its_tries(bench: Bench) -> None:
    failing = Failing(lambda _: asyncio.CancelledError())
    job_id = await bench.put("job")
    await bench.burst(failing.function(), max_tries=2)
    assert failing.tries == [1, 2]
    assert (await bench.dead_letter(job_id)).failure.type == "JobCancelled"


async def test_a_timeout_is_retried(bench: Bench) -> None:
    tries = []

    async def job(ctx: dict[str, Any]) -> str:
        tries.append(ctx["job_try"])
        if len(tries) == 1:
            await asyncio.Event().wait()
        return "done"

    job_id = await bench.put("job")
    await bench.burst(func(job, name="job", timeout=0.1))
    assert await bench.outcome(job_id) == "done"
    assert tries == [1, 2]


async def test_an_outage_spends_no_try_and_stops_claiming_until_it_is_over(bench: Bench) -> None:
    unavailable = True
    tries: dict[str, list[int]] = {}

    async def job(ctx: dict[str, Any]) -> str:
        tries.setdefault(ctx["job_id"], []).append(ctx["job_try"])
        if unavailable:
            raise OutageError("unavailable")
        return "done"

    first = [await bench.put("job") for _ in range(5)]
    async with bench.serving(func(job, name="job"), max_tries=2) as worker:
        await bench.until(lambda: worker.breaker.is_open)
        more = [await bench.put("job") for _ in range(30)]
        before = sum(map(len, tries.values()))
        opened = time.monotonic()
        # Only probes run during the outage: after 1/8, 1/4, 1/2 and 1 s, or half of that with the most jitter.
        await bench.until(lambda: sum(map(len, tries.values())) >= before + 4)
        assert time.monotonic() - opened > 0.9
        assert len(set(tries) & set(more)) <= 5
        reason = await bench.until(lambda: _why_not_ready(bench, worker))
        assert reason == "MongoDB is unavailable"
        unavailable = False
        for job_id in first + more:
            assert await bench.outcome(job_id, 15) == "done"
        assert not worker.breaker.is_open
    assert all(set(numbers) == {1} for numbers in tries.values())


@pytest.mark.parametrize("dependency", [None, "geocoder"])
async def test_an_outage_that_one_function_meets_holds_up_no_other(bench: Bench, dependency: str | None) -> None:
    unavailable = True
    tries: list[int] = []

    async def broken(ctx: dict[str, Any]) -> str:
        tries.append(ctx["job_try"])
        if unavailable:
            raise OutageError("unavailable", dependency=dependency)
        return "done"

    async def healthy(ctx: dict[str, Any]) -> str:
        return "done"

    hopeless = [await bench.put("broken") for _ in range(500)]
    good = [await bench.put("healthy") for _ in range(50)]
    async with bench.serving(func(broken, name="broken"), func(healthy, name="healthy")) as worker:
        for job_id in good:
            assert await bench.outcome(job_id, 10) == "done"
        assert not worker.breaker.is_open
        # As many as were claimed together, and then one probe at a time.
        assert len(tries) < 30
        unavailable = False
        for job_id in hopeless:
            assert await bench.outcome(job_id, 20) == "done"
    assert set(tries) == {1}


async def _why_not_ready(bench: Bench, worker: Any) -> str:
    state = await read_stats(bench.redis, (bench.queue,))
    return next(beat.why_not for beat, _ in state.workers if beat.worker == worker.worker_id)


async def test_a_job_whose_function_this_worker_lacks_is_retried_without_spending_a_try(bench: Bench) -> None:
    async def other(ctx: dict[str, Any]) -> str:
        return "other"

    async def newer(ctx: dict[str, Any]) -> int:
        return int(ctx["job_try"])

    name = f"newer-{bench.queue}"
    job_id = await bench.put(name)
    async with bench.serving(func(other, name="other")):
        assert await bench.outcome(await bench.put("other")) == "other"
        await bench.until(lambda: _is_unknown(bench, name))
        assert await bench.redis.get(keys.TRIES + job_id) is None
    async with bench.serving(func(newer, name=name)):
        assert await bench.outcome(job_id, 15) == 1


async def test_thousands_of_jobs_whose_function_this_worker_lacks_do_not_return_together(bench: Bench) -> None:
    async def other(ctx: dict[str, Any]) -> str:
        return "other"

    count, name = 6_000, f"newer-{bench.queue}"
    for first in range(0, count, 500):
        numbers = range(first, first + 500)
        await bench.scripts.enqueue(
            [Enqueue(f"{bench.queue}-{n}", bench.queue, bench.envelope(name)) for n in numbers]
        )
    async with bench.serving(func(other, name="other"), max_jobs=200):

        async def all_wait() -> bool:
            counts = (await bench.scripts.counts([bench.queue])).queues[bench.queue]
            return counts.due == counts.in_flight == 0

        await bench.until(all_wait)
        due_ms = [score for _, score in await bench.redis.zrange(bench.queue, 0, -1, withscores=True)]
        assert await bench.outcome(await bench.put("other")) == "other"
    assert len(due_ms) == count
    # 1,000 a second; they come back for a second time before the last of them have come back once.
    assert due_ms[-1] - due_ms[0] > 4_500


async def test_the_list_of_unknown_functions_is_bounded(bench: Bench) -> None:
    async def other(ctx: dict[str, Any]) -> None: ...

    for number in range(130):
        await bench.put(f"made-up-{number}-" + "x" * 1_000)
    async with bench.serving(func(other, name="other"), max_jobs=200):
        await bench.until(lambda: _listed_unknown(bench))
        names = await _listed_unknown(bench)
    assert len(names) <= 100
    assert {len(name) for name in names} == {200}


async def _listed_unknown(bench: Bench) -> list[bytes]:
    return [name for name in await bench.redis.zrange(keys.UNKNOWN, 0, -1) if name.startswith(b"made-up-")]


async def _is_unknown(bench: Bench, name: str) -> bool:
    return name in (await read_stats(bench.redis, (bench.queue,))).unknown_functions
