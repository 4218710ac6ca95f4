"""The parts of the engine that run one job, put together without a server."""

import asyncio
from collections.abc import Callable
from typing import Any

from arq.worker import func

from worker.codec import Codec
from worker.engine.clock import RedisClock
from worker.engine.decision import Decision, DecisionRules
from worker.engine.events import Events
from worker.engine.executor import Executor
from worker.engine.options import JobContext, JobOptions
from worker.engine.running_job import RunningJob
from worker.engine.timeouts import Timeouts
from worker.queue.scripts import Claimed

CODEC = Codec()
JOB_ID, QUEUE, TOKEN, SCORE = "step:1", "queue", "worker:7", 5_000.0


def make_options(*functions: Any, **settings: Any) -> JobOptions:
    """Return options of a worker with arq's defaults, and these functions."""
    values: dict[str, Any] = {
        "functions": {function.name: function for function in functions},
        "context": {"from the worker": True},
        "serializer": CODEC.encode,
        "deserializer": CODEC.decode,
        "max_jobs": 10,
        "max_tries": 5,
        "timeout_s": 300.0,
        "keep_result_s": 3_600,
        "keep_result_forever": False,
        "retry_jobs": True,
        "allow_abort_jobs": True,
        "poll_delay_s": 0.5,
        "burst": False,
        "max_burst_jobs": -1,
        "on_job_start": None,
        "on_job_end": None,
        "after_job_end": None,
    }
    return JobOptions(**(values | settings))


def envelope(function: str = "step", *args: Any, **fields: Any) -> bytes:
    """Return the bytes of a job that calls `function`, enqueued at the instant 4,000."""
    return CODEC.encode({"t": None, "f": function, "a": list(args), "k": {}, "et": 4_000} | fields)


def make_job(payload: bytes | None = None, **claim: Any) -> RunningJob:
    """Return a claimed job, in its first try and due since the instant 5,000."""
    values: dict[str, Any] = {
        "job_id": JOB_ID.encode(),
        "queue": QUEUE,
        "score": SCORE,
        "tries": 1,
        "crashes": 0,
        "abort_ms": -1.0,
        "problem": "",
        "payload": envelope() if payload is None else payload,
    }
    return RunningJob(Claimed(**(values | claim)), TOKEN)


def make_executor(options: JobOptions, events: Events | None = None) -> Executor:
    """Return an executor of these options in the running event loop."""
    timeouts = Timeouts(asyncio.get_running_loop())
    return Executor(options, DecisionRules(options, "worker"), timeouts, RedisClock(), events or Events())


async def run_job(
    step: Callable[..., Any],
    *,
    job: RunningJob | None = None,
    function: dict[str, Any] | None = None,
    events: Events | None = None,
    **settings: Any,
) -> tuple[Decision, JobContext | None]:
    """Run a job whose function is `step`, named "step", as Slots does: in a task of its own."""
    job = job or make_job()
    executor = make_executor(make_options(func(step, name="step", **(function or {})), **settings), events)
    task = asyncio.create_task(executor.run(job))
    job.launched(task)  # type: ignore[arg-type]  # only cancelled, and its result is read here alone
    return await task
