"""arq's log lines about jobs, which `log_results=True` asks for, and what arq's users filter on."""

import asyncio
import logging
import re
from typing import Any

import pytest
from arq.constants import abort_jobs_ss
from arq.utils import timestamp_ms
from arq.worker import Retry, RetryJob, func

from tests.arq_compat.conftest import Bench


class OrderError(Exception):
    def __init__(self) -> None:
        super().__init__("no such order")
        self.extra = {"order": 7}


class ComputedError(OrderError):
    def extra(self) -> dict[str, int]:  # type: ignore[override]  # arq takes a value or a function
        return {"order": 8}

    def __init__(self) -> None:
        Exception.__init__(self, "computed")


async def echo(ctx: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    return args[0] if args else None


async def refuse(ctx: dict[str, Any]) -> None:
    raise OrderError


async def compute(ctx: dict[str, Any]) -> None:
    raise ComputedError


async def retry_once(ctx: dict[str, Any]) -> None:
    if ctx["job_try"] == 1:
        raise Retry(0.01)


async def ask_again(ctx: dict[str, Any]) -> None:
    if ctx["job_try"] == 1:
        raise RetryJob


async def always_retry(ctx: dict[str, Any]) -> None:
    raise Retry


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="arq")
    return caplog


def lines(log: pytest.LogCaptureFixture, job_id: str) -> list[str]:
    """Return arq's lines about a job, with its name for its id and without figures."""
    return [
        re.sub(r"\d+\.\d\ds", "X.XXs", record.getMessage()).replace(job_id, "JOB").strip()
        for record in log.records
        if record.name == "arq.worker" and job_id in record.getMessage() and not hasattr(record, "action")
    ]


async def test_a_success_makes_two_lines(bench: Bench, log: pytest.LogCaptureFixture) -> None:
    job, empty = await bench.enqueue("echo", 42, two="x"), await bench.enqueue("echo")
    await bench.burst(echo, log_results=True)
    assert lines(log, job.job_id) == ["X.XXs → JOB:echo(42, two='x')", "X.XXs ← JOB:echo ● 42"]
    assert lines(log, empty.job_id) == ["X.XXs → JOB:echo()", "X.XXs ← JOB:echo ●"]


async def test_long_arguments_and_results_are_cut(bench: Bench, log: pytest.LogCaptureFixture) -> None:
    job = await bench.enqueue("echo", "x" * 200)
    await bench.burst(echo, log_results=True)
    assert [len(line) for line in lines(log, job.job_id)] == [len("X.XXs → JOB:echo()") + 80, 80 + 19]


@pytest.mark.parametrize(
    ("function", "error", "message", "extra"),
    [(refuse, "OrderError", "no such order", {"order": 7}), (compute, "ComputedError", "computed", {"order": 8})],
    ids=["value", "function"],
)
async def test_a_failure_has_its_traceback_and_the_extra_of_its_error(
    bench: Bench, log: pytest.LogCaptureFixture, function: Any, error: str, message: str, extra: dict[str, int]
) -> None:
    job = await bench.enqueue(function.__name__)
    await bench.burst(function, log_results=True)
    failed = [record for record in log.records if " ! " in record.getMessage()]
    assert lines(log, job.job_id)[1] == f"X.XXs ! JOB:{function.__name__} failed, {error}: {message}"
    assert [(record.levelno, vars(record)["extra"]) for record in failed] == [(logging.ERROR, extra)]
    assert failed[0].exc_info is not None
    assert str(failed[0].exc_info[1]) == message


async def test_a_retry_makes_a_line_for_each_try(bench: Bench, log: pytest.LogCaptureFixture) -> None:
    job = await bench.enqueue("retry_once")
    await bench.burst(retry_once, log_results=True)
    assert lines(log, job.job_id) == [
        "X.XXs → JOB:retry_once()",
        "X.XXs ↻ JOB:retry_once retrying job in X.XXs",
        "X.XXs → JOB:retry_once() try=2",
        "X.XXs ← JOB:retry_once ●",
    ]


async def test_a_job_that_asks_to_run_again_does(bench: Bench, log: pytest.LogCaptureFixture) -> None:
    job = await bench.enqueue("ask_again")
    await bench.burst(ask_again, log_results=True)
    assert lines(log, job.job_id)[1:3] == [
        "X.XXs ↻ JOB:ask_again cancelled, will be run again",
        "X.XXs → JOB:ask_again() try=2",
    ]


async def test_tries_that_are_spent_are_a_warning(bench: Bench, log: pytest.LogCaptureFixture) -> None:
    asking, late = await bench.enqueue("always_retry"), await bench.enqueue("always_retry", _job_try=9)
    await bench.burst(func(always_retry, max_tries=2), log_results=True)
    expected = "X.XXs ! JOB:always_retry max retries 2 exceeded"
    assert lines(log, asking.job_id)[-1] == lines(log, late.job_id)[-1] == expected


async def test_a_job_without_function_payload_or_form_is_named(bench: Bench, log: pytest.LogCaptureFixture) -> None:
    unknown, expired, broken = [await bench.enqueue(name) for name in ("missing", "echo", "echo")]
    await bench.redis.delete("arq:job:" + expired.job_id)
    await bench.redis.set("arq:job:" + broken.job_id, b"\x80broken")
    await bench.burst(echo, log_results=True)
    assert lines(log, unknown.job_id) == ["job JOB, function 'missing' not found"]
    assert lines(log, expired.job_id) == ["job JOB expired"]
    assert lines(log, broken.job_id) == ["deserializing job JOB failed"]


async def test_aborted_jobs_are_named(bench: Bench, log: pytest.LogCaptureFixture) -> None:
    running = asyncio.Event()

    async def wait(ctx: dict[str, Any]) -> None:
        running.set()
        await asyncio.Event().wait()

    job, never = await bench.enqueue("wait"), await bench.enqueue("wait", _defer_by=60)
    async with bench.serving(func(wait, name="wait"), allow_abort_jobs=True, log_results=True):
        await running.wait()
        await job.abort(timeout=5)
        # arq makes a deferred job due first, and a worker may start it before it requests the abort.
        await bench.redis.zadd(abort_jobs_ss, {never.job_id: timestamp_ms()})
        await never.abort(timeout=5)
    assert lines(log, job.job_id) == ["X.XXs → JOB:wait()", "X.XXs ⊘ JOB:wait aborted"]
    # The time since it was enqueued may be negative, because it is due later.
    assert [line.split(" ", 1)[1] for line in lines(log, never.job_id)] == ["⊘ JOB:wait aborted before start"]
