from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.cron import cron
from arq.worker import Worker, func

from tests.unit.engine.conftest import job_options
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


def with_settings(**options: Any) -> JobFunction:
    return func(job, **options)


async def test_every_option_is_taken_from_the_worker(redis: ArqRedis) -> None:
    context = {"shared": object()}
    hooks: dict[str, Any] = {name: hook_called(name) for name in ("on_job_start", "on_job_end", "after_job_end")}
    worker = Worker(
        [job],
        redis_pool=redis,
        handle_signals=False,
        ctx=context,
        job_serializer=encode,
        job_deserializer=decode,
        max_jobs=7,
        max_tries=3,
        job_timeout=11,
        keep_result=13,
        keep_result_forever=True,
        retry_jobs=False,
        allow_abort_jobs=True,
        poll_delay=0.25,
        burst=True,
        max_burst_jobs=17,
        **hooks,
    )

    assert JobOptions.of(worker) == JobOptions(
        functions=worker.functions,
        context=context,
        serializer=encode,
        deserializer=decode,
        max_jobs=7,
        max_tries=3,
        timeout_s=11,
        keep_result_s=13,
        keep_result_forever=True,
        retry_jobs=False,
        allow_abort_jobs=True,
        poll_delay_s=0.25,
        burst=True,
        max_burst_jobs=17,
        **hooks,
    )
    assert set(worker.functions) == {"job"}


@pytest.mark.parametrize(
    ("function", "tries"),
    [(None, 5), (with_settings(), 5), (with_settings(max_tries=2), 2), (cron(job), 1)],
    ids=["unknown", "worker's", "own", "cron"],
)
def test_a_functions_own_tries_come_first(function: JobFunction | None, tries: int) -> None:
    assert job_options(max_tries=5).max_tries_of(function) == tries


@pytest.mark.parametrize("timeout_s", [300, None])
def test_a_function_without_a_timeout_has_the_workers(timeout_s: float | None) -> None:
    assert job_options(timeout_s=timeout_s).timeout_of(with_settings()) == timeout_s


@pytest.mark.parametrize("timeout_s", [2, 0])
def test_a_functions_own_timeout_comes_first(timeout_s: float) -> None:
    assert job_options(timeout_s=300).timeout_of(with_settings(timeout=timeout_s)) == timeout_s


@pytest.mark.parametrize(
    ("own", "life_ms"),
    [
        ({}, 1_500),
        ({"keep_result": 0}, 0),
        ({"keep_result": 2}, 2_000),
        ({"keep_result_forever": True}, -1),
        ({"keep_result": 2, "keep_result_forever": True}, -1),
    ],
)
def test_a_functions_own_result_life_comes_first(own: dict[str, Any], life_ms: int) -> None:
    assert job_options(keep_result_s=1.5).result_life_ms(with_settings(**own)) == life_ms


def test_a_function_may_bound_what_the_worker_keeps_for_ever() -> None:
    options = job_options(keep_result_s=3, keep_result_forever=True)

    assert options.result_life_ms(with_settings()) == -1
    assert options.result_life_ms(with_settings(keep_result_forever=False)) == 3_000


def test_the_result_of_an_unknown_function_is_kept_as_the_worker_says() -> None:
    assert job_options(keep_result_s=3).result_life_ms(None) == 3_000
    assert job_options(keep_result_s=3, keep_result_forever=True).result_life_ms(None) == -1
