"""Jobs of paused functions are put aside, and cost the others almost nothing."""

import asyncio
from typing import Any

from arq.worker import func

from tests.support.engine import envelope, make_executor, make_job, make_options
from worker.engine.pauses import Pauses

STEP = frozenset({"function:step"})


async def never(ctx: dict[str, Any]) -> None:
    raise AssertionError("a paused function was called")


async def test_a_job_of_a_paused_function_is_put_aside_without_spending_a_try() -> None:
    pauses = Pauses(lambda: 0.0)
    executor = make_executor(make_options(func(never, name="step")), pauses=pauses)
    pauses.claimed(STEP)
    job = make_job()
    assert executor.is_held(job)
    decision, context = await executor.run(job)
    assert decision.event.outcome == "put_aside"
    assert decision.completion is not None
    assert (decision.completion.action, decision.completion.tries) == ("retry", "keep")
    assert decision.completion.delay_ms == 500
    assert context is None


async def test_jobs_of_other_functions_run() -> None:
    async def other(ctx: dict[str, Any]) -> str:
        return "done"

    pauses = Pauses(lambda: 0.0)
    executor = make_executor(make_options(func(other, name="other")), pauses=pauses)
    pauses.claimed(STEP)
    job = make_job(envelope("other"))
    assert not executor.is_held(job)
    decision, _ = await asyncio.wait_for(executor.run(job), 5)
    assert decision.event.outcome == "complete"


def test_the_jobs_return_over_time() -> None:
    pauses = Pauses(lambda: 0.0)
    pauses.claimed(STEP)
    waits = [pauses.put_aside_s("step") for _ in range(100_000)]
    assert all(0 < wait <= 300 for wait in waits if wait is not None)
    # 250 a second, so that each of many jobs is looked at seldom.
    within = [wait for wait in waits if wait is not None and wait < 100]
    assert 20_000 < len(within) < 26_000


def test_a_function_that_is_resumed_is_not_held_and_begins_anew() -> None:
    pauses = Pauses(lambda: 0.0)
    pauses.claimed(STEP)
    first = pauses.put_aside_s("step")
    assert (pauses.put_aside_s("step") or 0) > (first or 0)
    pauses.claimed(frozenset())
    assert pauses.put_aside_s("step") is None
    pauses.claimed(STEP)
    assert pauses.put_aside_s("step") == first


def test_a_queue_and_a_function_of_one_name_are_told_apart() -> None:
    pauses = Pauses()
    pauses.claimed(frozenset({"queue:step"}))
    assert pauses.has_queue("step")
    assert not pauses.has_function("step")
    assert pauses.put_aside_s("step") is None
