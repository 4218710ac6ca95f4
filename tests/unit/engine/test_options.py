import math
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.cron import CronJob, cron
from arq.worker import Function, Worker, func

from worker.engine.options import JobFunction, JobOptions


async def job(ctx: dict[str, Any]) -> None: ...


def encode(message: dict[str, Any]) -> bytes:
    return b""


def decode(data: bytes) -> dict[str, Any]:
    return {}


def hook_called(name: str) -> Any:
    async def hook(ctx: dict[str, Any]) -> None: ...

    hook.__name__ = name
    return hook


def options_of(*functions: Any, **settings: Any) -> JobOptions:
    return JobOptions.of(Worker(functions or [job], handle_signals=False, **settings))


def function_with(own: dict[str, Any], **settings: Any) -> JobFunction:
    """Return the one function of a worker with `settings`, whose own settings are `own`."""
    (function,) = options_of(func(job, **own), **settings).functions.values()
    return function


async def test_every_option_is_taken_from_the_worker(redis: ArqRedis) -> None:
    context = {"shared": object()}
    hooks: dict[str, Any] = {name: hook_called(name) for name in ("on_job_start", "on_job_end", "after_job_end")}
    options = options_of(
        redis_pool=redis,
        ctx=context,
        job_serializer=encode,
        job_deserializer=decode,
        max_jobs=7,
        max_tries=3,
        job_timeout=11,
        keep_result=13,
        retry_jobs=False,
        allow_abort_jobs=True,
        poll_delay=0.25,
        burst=True,
        max_burst_jobs=17,
        **hooks,
    )

    found = JobFunction(coroutine=job, max_tries=3, timeout_s=11, result_life_ms=13_000)
    assert options == JobOptions(
        functions={"job": found},
        unknown=options.unknown,
        context=context,
        serializer=encode,
        deserializer=decode,
        max_jobs=7,
        retry_jobs=False,
        allow_abort_jobs=True,
        poll_delay_s=0.25,
        burst=True,
        max_burst_jobs=17,
        **hooks,
    )
    assert options.context is context
    assert (options.unknown.max_tries, options.unknown.result_life_ms, options.unknown.id_hold_ms) == (3, 13_000, 0)


@pytest.mark.parametrize(("own", "tries"), [({}, 5), ({"max_tries": 2}, 2)])
async def test_a_functions_own_tries_come_first(own: dict[str, Any], tries: int) -> None:
    assert function_with(own, max_tries=5).max_tries == tries


@pytest.mark.parametrize(
    ("own", "timeout_s", "expected"),
    [({}, 300, 300), ({}, None, None), ({"timeout": 2}, 300, 2), ({"timeout": 0}, 300, 0)],
)
async def test_a_functions_own_timeout_comes_first(
    own: dict[str, Any], timeout_s: float | None, expected: float | None
) -> None:
    assert function_with(own, job_timeout=timeout_s).timeout_s == expected


@pytest.mark.parametrize(
    ("own", "forever", "life_ms"),
    [
        ({}, False, 1_500),
        ({"keep_result": 0}, False, 0),
        ({"keep_result": 2}, False, 2_000),
        ({"keep_result_forever": True}, False, -1),
        ({"keep_result": 2, "keep_result_forever": True}, False, -1),
        ({}, True, -1),
        ({"keep_result_forever": False}, True, 1_500),
    ],
)
async def test_a_functions_own_result_life_comes_first(own: dict[str, Any], forever: bool, life_ms: int) -> None:
    assert function_with(own, keep_result=1.5, keep_result_forever=forever).result_life_ms == life_ms


@pytest.mark.parametrize(
    ("own", "hold_ms"), [({}, 60_000), ({"unique": False}, -60_000), ({"job_id": "mine"}, -60_000)]
)
async def test_the_id_of_a_cron_job_stays_taken(own: dict[str, Any], hold_ms: int) -> None:
    (function,) = JobOptions.of(
        Worker(cron_jobs=[cron(job, hour=3, **own)], handle_signals=False)
    ).functions.values()

    assert (function.id_hold_ms, function.max_tries) == (hold_ms, 1)


@pytest.mark.parametrize("kind", [Function, CronJob])
async def test_a_function_is_what_arqs_attribute_returns(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenTelemetry's instrumentation for arq wraps the coroutines of both classes where they are read."""

    class Wrapped:
        def __get__(self, function: Any, owner: type) -> Any:
            return "traced", vars(function)["coroutine"]

        def __set__(self, function: Any, coroutine: Any) -> None:
            vars(function)["coroutine"] = coroutine

    monkeypatch.setattr(kind, "coroutine", Wrapped(), raising=False)
    options = options_of(func(job, name="function"), cron_jobs=[cron(job, name="cron")])
    expected = {"function": job, "cron": job} | {"function" if kind is Function else "cron": ("traced", job)}
    assert {name: function.coroutine for name, function in options.functions.items()} == expected


@pytest.mark.parametrize(
    ("timeouts", "default", "longest_s"),
    [
        ([None], 11, 11),
        ([5, 70], 11, 70),
        ([5], 11, 11),
        # One that may run for ever counts as long as arq's default timeout.
        ([5, math.inf], 11, 300),
        ([5, 600], None, 600),
        ([5], None, 300),
    ],
)
async def test_the_longest_run_is_known(
    timeouts: list[float | None], default: float | None, longest_s: float
) -> None:
    functions = [func(job, name=str(number), timeout=timeout) for number, timeout in enumerate(timeouts)]
    assert options_of(*functions, job_timeout=default).longest_run_s == longest_s


@pytest.mark.parametrize(("job_timeout", "hook_timeout_s"), [(11, 11), (None, None), (math.inf, None)])
async def test_a_hook_may_take_as_long_as_a_job_without_a_timeout_of_its_own(
    job_timeout: float | None, hook_timeout_s: float | None
) -> None:
    assert options_of(func(job, timeout=700), job_timeout=job_timeout).hook_timeout_s == hook_timeout_s
