"""How jobs end: results, dead letters, hooks, and the options of each function."""

import asyncio
import sys
from typing import Any

import pytest
from arq.worker import func

from tests.integration.engine.conftest import Bench
from worker.errors import PermanentError
from worker.queue import keys


async def double(ctx: dict[str, Any], number: int) -> int:
    return number * 2


async def boom(ctx: dict[str, Any], text: str) -> None:
    raise ValueError(f"cannot use {text}")


async def test_a_result_is_stored_and_nothing_else_is_left(bench: Bench) -> None:
    job_id = await bench.put("double", 21)
    worker = await bench.burst(double)
    message = await bench.result(job_id)
    assert (message["s"], message["r"], message["f"], message["a"], message["t"]) == (True, 42, "double", [21], 1)
    assert message["id"] == job_id
    assert message["q"] == bench.queue
    assert await bench.is_settled(job_id)
    assert (worker.jobs_complete, worker.jobs_failed, worker.jobs_retried) == (1, 0, 0)


async def test_a_slot_is_freed_only_after_the_result_is_stored(bench: Bench) -> None:
    seen: list[int] = []

    async def look(ctx: dict[str, Any], before: str) -> None:
        seen.append(await ctx["redis"].exists(keys.RESULT + before))

    first = await bench.put("double", 1)
    await bench.put("look", first)
    await bench.burst(double, func(look, name="look"), max_jobs=1)
    assert seen == [1]


async def test_hooks_run_in_order_and_the_last_one_after_the_result_is_stored(bench: Bench) -> None:
    calls: list[tuple[str, int]] = []

    def hook(name: str) -> Any:
        async def run(ctx: dict[str, Any]) -> None:
            calls.append((name, await ctx["redis"].exists(keys.RESULT + ctx["job_id"])))

        return run

    await bench.put("double", 1)
    await bench.put("boom", "x", delay_ms=300)
    await bench.burst(
        double, boom, on_job_start=hook("start"), on_job_end=hook("end"), after_job_end=hook("after"), max_jobs=1
    )
    assert calls == [("start", 0), ("end", 0), ("after", 1)] * 2


async def test_a_burst_ends_only_after_the_last_hook(bench: Bench) -> None:
    ended: list[str] = []

    async def slow(ctx: dict[str, Any]) -> None:
        await asyncio.sleep(0.05)
        ended.append(ctx["job_id"])

    job_id = await bench.put("double", 1)
    await bench.burst(double, after_job_end=slow)
    assert ended == [job_id]


@pytest.mark.parametrize("hook", ["on_job_start", "on_job_end", "after_job_end"])
async def test_an_exception_in_a_hook_affects_only_its_own_job(bench: Bench, hook: str) -> None:
    async def fail(ctx: dict[str, Any]) -> None:
        if ctx["job_id"] == bad:
            raise RuntimeError("hook")

    bad, good = await bench.put("double", 1), await bench.put("double", 2)
    async with bench.serving(double, **{hook: fail}):
        assert await bench.outcome(good) == 4
        if hook == "after_job_end":
            assert await bench.outcome(bad) == 2
        else:
            assert (await bench.dead_letter(bad)).failure.type == "RuntimeError"
        assert await bench.outcome(await bench.put("double", 3)) == 6


async def test_an_unexpected_exception_dead_letters_the_job(bench: Bench) -> None:
    job_id = await bench.put("boom", "this")
    worker = await bench.burst(boom)
    dead_letter = await bench.dead_letter(job_id)
    assert (dead_letter.function, dead_letter.queue, dead_letter.crashes) == ("boom", bench.queue, 0)
    assert (dead_letter.failure.type, dead_letter.failure.message, dead_letter.failure.tries) == (
        "ValueError",
        "cannot use this",
        1,
    )
    assert 'raise ValueError(f"cannot use {text}")' in dead_letter.failure.traceback
    assert b'"cannot' not in dead_letter.envelope
    assert b'"a":["this"]' in dead_letter.envelope
    message = await bench.result(job_id)
    assert (message["s"], message["r"].kind) == (False, "ValueError")
    assert await bench.is_settled(job_id)
    assert worker.jobs_failed == 1


@pytest.mark.parametrize("how", ["exit", "interrupt", "base"])
async def test_an_exit_or_interrupt_in_a_job_ends_only_that_job(bench: Bench, how: str) -> None:
    class Base(BaseException):
        pass

    async def end(ctx: dict[str, Any]) -> None:
        match how:
            case "exit":
                sys.exit(3)
            case "interrupt":
                raise KeyboardInterrupt
            case _:
                raise Base

    job_id = await bench.put("end")
    async with bench.serving(double, func(end, name="end")):
        dead_letter = await bench.dead_letter(job_id)
        assert (
            dead_letter.failure.type
            == {"exit": "SystemExit", "interrupt": "KeyboardInterrupt", "base": "Base"}[how]
        )
        assert await bench.outcome(await bench.put("double", 4)) == 8


async def test_a_result_that_cannot_be_serialized_fails_only_its_job(bench: Bench) -> None:
    async def strange(ctx: dict[str, Any]) -> object:
        return object()

    job_id = await bench.put("strange")
    async with bench.serving(double, func(strange, name="strange")):
        message = await bench.result(job_id)
        assert (message["s"], message["r"]) == (False, "unable to serialize result")
        assert await bench.outcome(await bench.put("double", 5)) == 10


async def test_each_function_sets_how_long_its_results_are_kept(bench: Bench) -> None:
    async def fail(ctx: dict[str, Any]) -> None:
        raise PermanentError("no")

    functions = [
        func(double, name="short", keep_result=100),
        func(double, name="none", keep_result=0),
        func(double, name="ever", keep_result_forever=True),
        func(fail, name="failing_ever", keep_result_forever=True),
        func(double, name="ordinary"),
    ]
    ids = {}
    for function in functions:
        arguments = [1] if function.coroutine is double else []
        ids[function.name] = await bench.put(function.name, *arguments)
    await bench.burst(*functions, keep_result=500)
    life = {name: await bench.redis.ttl(keys.RESULT + job_id) for name, job_id in ids.items()}
    assert life["none"] == -2
    assert life["ever"] == life["failing_ever"] == -1
    assert 90 <= life["short"] <= 100
    assert 490 <= life["ordinary"] <= 500


async def test_a_functions_own_timeout_overrides_the_workers(bench: Bench) -> None:
    async def wait(ctx: dict[str, Any]) -> str:
        await asyncio.sleep(0.09)
        await asyncio.sleep(0.09)
        return "done"

    patient, hasty = func(wait, name="patient", timeout=20), func(wait, name="hasty", max_tries=1)
    slow, late = await bench.put("patient"), await bench.put("hasty")
    await bench.burst(patient, hasty, job_timeout=0.1)
    assert await bench.outcome(slow) == "done"
    dead_letter = await bench.dead_letter(late)
    assert dead_letter.failure.type == "TimeoutError"
    assert dead_letter.failure.message == "not finished within 0.1 s"
    assert "asyncio.sleep(0.09)" in dead_letter.failure.traceback


async def test_long_arguments_are_not_repeated_in_the_result(bench: Bench) -> None:
    async def size(ctx: dict[str, Any], text: str) -> int:
        return len(text)

    job_id = await bench.put("size", "x" * 100_000)
    await bench.burst(func(size, name="size"))
    message = await bench.result(job_id)
    assert (message["r"], message["a"]) == (100_000, [])
