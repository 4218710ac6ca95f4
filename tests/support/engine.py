"""The parts of the engine that run one job, put together without a server."""

import asyncio
from collections.abc import Callable
from typing import Any

from arq.worker import Worker, func

from worker.codec import Codec
from worker.engine.circuit_breaker import CircuitBreaker
from worker.engine.clock import RedisClock
from worker.engine.decision import Decision, DecisionRules
from worker.engine.events import Events
from worker.engine.executor import Executor
from worker.engine.options import JobContext, JobOptions
from worker.engine.patched_run_job import PatchedRunJob
from worker.engine.pauses import Pauses
from worker.engine.running_job import RunningJob
from worker.engine.timeouts import Timeouts
from worker.queue.claim import ClaimedJob

CODEC = Codec()
JOB_ID, QUEUE, TOKEN, SCORE = "step:1", "queue", "worker:7", 5_000.0


async def _do_nothing(ctx: dict[Any, Any]) -> None:
    """Be the hook for which the executor returns the job's context."""


def make_options(*functions: Any, **changes: Any) -> JobOptions:
    """Return the options of an arq worker with these functions and settings; arq's defaults otherwise."""
    settings: dict[str, Any] = {"allow_abort_jobs": True, "ctx": {"from the worker": True}, **changes}
    worker = Worker(
        functions or [func(_do_nothing, name="step")],
        job_serializer=settings.pop("serializer", CODEC.encode),
        job_deserializer=CODEC.decode,
        handle_signals=False,
        **settings,
    )
    return JobOptions.of(worker)


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
    return RunningJob(ClaimedJob(**(values | claim)), TOKEN)


def make_executor(
    options: JobOptions,
    events: Events | None = None,
    patched_run_job: PatchedRunJob | None = None,
    pauses: Pauses | None = None,
    *,
    keeps_history: bool = False,
) -> Executor:
    """Return an executor of these options in the running event loop."""
    timeouts = Timeouts(asyncio.get_running_loop())
    events = events or Events()
    rules = DecisionRules(options, "worker", keeps_history=keeps_history)
    breaker = CircuitBreaker(events)
    return Executor(options, rules, timeouts, RedisClock(), events, breaker, pauses or Pauses(), patched_run_job)


async def run_job(
    step: Callable[..., Any],
    *,
    job: RunningJob | None = None,
    function: dict[str, Any] | None = None,
    events: Events | None = None,
    keeps_history: bool = False,
    **settings: Any,
) -> tuple[Decision, JobContext | None]:
    """Run a job whose function is `step`, named "step", as Slots does: in a task of its own."""
    job = job or make_job()
    settings.setdefault("after_job_end", _do_nothing)
    options = make_options(func(step, name="step", **(function or {})), **settings)
    executor = make_executor(options, events, keeps_history=keeps_history)
    task = asyncio.create_task(executor.run(job))
    job.launched(task)  # type: ignore[arg-type]  # only cancelled, and its result is read here alone
    return await task
