"""How a try ends, as a table: what the job does and how it is interrupted, to the completion that is stored."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import pytest
from arq.worker import JobExecutionFailed, Retry, RetryJob, func
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tests.faults.injectors.errors import ERRORS
from tests.support.captured_lines import capture_logs
from tests.support.engine import (
    JOB_ID,
    QUEUE,
    SCORE,
    TOKEN,
    envelope,
    make_executor,
    make_job,
    make_options,
    run_job,
)
from worker.codec import Codec
from worker.contract.trace_context import TraceContext
from worker.engine.arq_log import log_like_arq
from worker.engine.event_log import log_events
from worker.engine.events import Events, HookFailed, JobStarted
from worker.engine.patched_run_job import PatchedRunJob
from worker.engine.retry_policy import Trouble
from worker.engine.running_job import Interruption
from worker.errors import ConflictError, OperationRefused, OutageError, PermanentError, TransientError
from worker.queue.completion import Completion
from worker.queue.dead_letter import DeadLetter, Failure

CODEC = Codec()


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table. `ends` is what the job raises, or returns if it is not an exception.

    `by` interrupts the job while it runs. `settings` are the worker's, `claim` and `fields` change the envelope.
    """

    ends: Any = "result"
    by: Interruption | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    claim: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    action: str | None
    outcome: str
    tries: str | int = "spend"
    delay_ms: tuple[float, float] = (0, 0)
    error: str = ""
    reason: str = ""
    trouble: bool = False


@dataclass(frozen=True)
class Returned:
    """Something that a job returns although it could be raised."""

    value: Any


class Undescribable(TransientError):
    """An error of this service's tree whose text cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def nested(depth: int, error: Exception) -> Exception:
    """Return groups of one error each, so many of them within each other."""
    for _ in range(depth):
        error = ExceptionGroup("group", [error])
    return error


NO_RETRY = {"retry_jobs": False}
LAST = {"max_tries": 1}
GROUP = BaseExceptionGroup("several", [OutageError("away"), ConflictError("race")])
HOPELESS_GROUP = BaseExceptionGroup("several", [OutageError("away"), ValueError("x")])

TABLE = [
    # What a job returns or raises.
    Row(ends="result", action="done", outcome="complete"),
    Row(ends=None, action="done", outcome="complete"),
    Row(ends=OutageError("x"), action="retry", outcome="retried", tries="keep", delay_ms=(500, 1_000),
        error="OutageError", trouble=True),
    Row(ends=OperationRefused("give it the role"), action="retry", outcome="retried", delay_ms=(2_500, 5_000),
        error="OperationRefused", trouble=True),
    Row(ends=ConflictError("x"), action="retry", outcome="retried", delay_ms=(25, 50), error="ConflictError"),
    Row(ends=TransientError("x"), action="retry", outcome="retried", delay_ms=(250, 500), error="TransientError"),
    Row(ends=OSError("x"), action="retry", outcome="retried", delay_ms=(250, 500), error="OSError"),
    Row(ends=RedisTimeoutError("x"), action="retry", outcome="retried", delay_ms=(250, 500), error="TimeoutError"),
    Row(ends=RedisConnectionError("x"), action="retry", outcome="retried", delay_ms=(250, 500),
        error="ConnectionError"),
    Row(ends=ResponseError("x"), action="dead", outcome="dead", error="ResponseError", reason="unexpected error"),
    Row(ends=Retry(defer=3), action="retry", outcome="retried", delay_ms=(3_000, 3_000), error="Retry"),
    Row(ends=RetryJob(), action="retry", outcome="retried", error="RetryJob"),
    Row(ends=PermanentError("x"), action="dead", outcome="dead", error="PermanentError", reason="permanent error"),
    Row(ends=ValueError("x"), action="dead", outcome="dead", error="ValueError", reason="unexpected error"),
    Row(ends=SystemExit(1), action="dead", outcome="dead", error="SystemExit", reason="unexpected error"),
    Row(ends=KeyboardInterrupt(), action="dead", outcome="dead", error="KeyboardInterrupt",
        reason="unexpected error"),
    Row(ends=GROUP, action="retry", outcome="retried", delay_ms=(25, 50), error="ExceptionGroup",
        trouble=True),
    Row(ends=HOPELESS_GROUP, action="dead", outcome="dead", error="ExceptionGroup", reason="unexpected error",
        trouble=True),
    # Groups nested deeper than the interpreter's stack, and an error that fails when it is looked at.
    Row(ends=nested(5_000, ConflictError("x")), action="retry", outcome="retried", delay_ms=(25, 50),
        error="ExceptionGroup"),
    Row(ends=nested(5_000, ValueError("x")), action="dead", outcome="dead", error="ExceptionGroup",
        reason="unexpected error"),
    Row(ends=Undescribable(), action="dead", outcome="dead", error="UndescribableError", reason="permanent error"),
    # A job that returns an exception has not failed.
    Row(ends=Returned(ValueError("x")), action="done", outcome="complete"),
    # A cancellation that this worker did not ask for.
    Row(ends=asyncio.CancelledError(), action="retry", outcome="retried", delay_ms=(250, 500),
        error="JobCancelled"),
    # Tries.
    Row(ends=ConflictError("x"), claim={"tries": 4}, action="retry", outcome="retried", delay_ms=(200, 400),
        error="ConflictError"),
    Row(ends=ConflictError("x"), claim={"tries": 5}, action="dead", outcome="dead", error="ConflictError",
        reason="5 of 5 tries ended with ConflictError"),
    Row(ends=OutageError("x"), claim={"tries": 5}, action="retry", outcome="retried", tries="keep",
        delay_ms=(500, 1_000), error="OutageError", trouble=True),
    Row(ends=OperationRefused("give it the role"), claim={"tries": 5}, action="dead", outcome="dead",
        error="OperationRefused", trouble=True,
        reason="5 of 5 tries ended with OperationRefused: give it the role"),
    Row(ends="result", claim={"tries": 6}, action="dead", outcome="dead", error="JobExecutionFailed",
        reason="unexpected error"),
    Row(ends=ConflictError("x"), fields={"t": 3}, action="retry", outcome="retried", tries=3, delay_ms=(100, 200),
        error="ConflictError"),
    Row(ends=Retry(), settings=LAST, action="dead", outcome="dead", error="Retry",
        reason="1 of 1 tries ended with Retry"),
    # Without retries, as with arq.
    Row(ends=ConflictError("x"), settings=NO_RETRY, action="dead", outcome="dead", error="ConflictError",
        reason="retries are switched off"),
    Row(ends=OutageError("x"), settings=NO_RETRY, action="dead", outcome="dead", error="OutageError",
        reason="retries are switched off", trouble=True),
    # Interruptions while the job runs.
    Row(by="shutdown", action="return", outcome="handed_back", tries="keep"),
    Row(by="shutdown", claim={"tries": 5}, action="return", outcome="handed_back", tries="keep"),
    Row(by="shutdown", settings=LAST, action="return", outcome="handed_back", tries="keep"),
    Row(by="shutdown", settings=NO_RETRY, action="dead", outcome="dead", error="CancelledError",
        reason="unexpected error"),
    Row(by="postponed", action="retry", outcome="postponed", tries="keep", delay_ms=(0, 1_000)),
    Row(by="abort", action="done", outcome="aborted"),
    Row(by="lost", action=None, outcome="lease_lost"),
    Row(by="timeout", action="retry", outcome="retried", delay_ms=(250, 500), error="TimeoutError"),
    Row(by="timeout", settings=LAST, action="dead", outcome="dead", error="TimeoutError",
        reason="1 of 1 tries ended with TimeoutError"),
    # Jobs that are never started.
    Row(fields={"f": "unknown"}, action="retry", outcome="function_unknown", tries="keep", delay_ms=(5_000, 5_000)),
    Row(fields={"f": "unknown"}, settings={"burst": True}, action="dead", outcome="dead",
        error="JobExecutionFailed", reason="unexpected error"),
    Row(claim={"payload": b"garbage"}, action="dead", outcome="dead", error="InvalidEnvelope",
        reason="permanent error"),
    Row(claim={"problem": "missing", "payload": b""}, action="dead", outcome="dead", error="JobExecutionFailed",
        reason="unexpected error"),
    Row(claim={"problem": "wrong-type", "payload": b""}, action="dead", outcome="dead", error="InvalidEnvelope",
        reason="permanent error"),
    Row(claim={"crashes": 3}, action="dead", outcome="dead", error="LeaseLost", reason="permanent error"),
    Row(claim={"lost_by": ("-",) * 5}, action="dead", outcome="dead", error="LeaseLost", reason="permanent error"),
    Row(claim={"lost_by": ("-",) * 4}, action="done", outcome="complete"),
    Row(claim={"crashes": 2}, action="done", outcome="complete"),
    Row(claim={"abort_ms": 4_000.0}, action="done", outcome="aborted"),
    # A request of a minute before the job was enqueued was meant for an earlier job of this id.
    Row(claim={"abort_ms": 4_000.0}, fields={"et": 64_000}, action="done", outcome="aborted"),
    Row(claim={"abort_ms": 4_000.0, "score": 64_000.0}, fields={"et": 64_000}, action="done", outcome="complete"),
    Row(claim={"abort_ms": 4_000.0}, settings={"allow_abort_jobs": False}, action="done", outcome="complete"),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{TABLE.index(row)}-{row.outcome}")
async def test_how_a_try_ends_decides_its_completion(row: Row) -> None:
    job = make_job(**({"payload": envelope(**row.fields)} | row.claim))

    async def step(ctx: dict[Any, Any]) -> Any:
        if row.by is not None:
            job.interrupt(row.by)
            await asyncio.Event().wait()
        if isinstance(row.ends, BaseException):
            raise row.ends
        return row.ends.value if isinstance(row.ends, Returned) else row.ends

    decision, _ = await run_job(step, job=job, **row.settings)

    event, completion = decision.event, decision.completion
    assert (event.outcome, event.error_class, event.reason) == (row.outcome, row.error, row.reason)
    assert (event.job_id, event.queue) == (JOB_ID, QUEUE)
    assert (decision.trouble is not None) == row.trouble
    if row.action is None:
        assert completion is None
        return
    assert completion is not None
    assert (completion.job_id, completion.queue, completion.token) == (JOB_ID.encode(), QUEUE, TOKEN)
    assert (completion.action, completion.tries) == (row.action, row.tries)
    least, most = row.delay_ms
    assert least <= completion.delay_ms <= most
    assert event.delay_s * 1000 == pytest.approx(completion.delay_ms if row.outcome == "retried" else 0)
    assert completion.score == (SCORE if row.action == "return" else 0)
    _assert_records(row, completion)


def _assert_records(row: Row, completion: Completion) -> None:
    """Check what is kept: a result of an ended job, a dead letter, or a history entry of a failed try."""
    ended = row.action in ("done", "dead")
    assert (completion.result_life_ms, bool(completion.result)) == ((3_600_000, True) if ended else (0, False))
    if ended:
        assert CODEC.decode(completion.result)["s"] == (row.outcome == "complete")
    if row.action == "dead":
        dead_letter = DeadLetter.model_validate_json(completion.record)
        assert (dead_letter.reason, dead_letter.failure.type, dead_letter.worker) == (
            row.reason,
            row.error,
            "worker",
        )
    elif row.outcome == "retried":
        assert Failure.model_validate_json(completion.record).type == row.error
    else:
        assert completion.record == b""


@pytest.mark.parametrize("by", [None, "shutdown"])
async def test_a_job_whose_function_is_in_trouble_is_put_aside_without_being_run(by: Interruption | None) -> None:
    async def step(ctx: dict[Any, Any]) -> None:
        raise AssertionError("it was run")

    executor = make_executor(make_options(func(step, name="step")))
    for _ in range(3):
        executor._breaker.failed("step", Trouble("geocoder is unavailable", is_shared=False), 0)
    job = make_job(payload=envelope(), tries=3)
    if by is not None:
        job.interrupt(by)
    decision, context = await executor.run(job)

    assert context is None
    assert decision.trouble is None
    assert decision.completion is not None
    if by is None:
        assert (decision.event.outcome, decision.completion.action) == ("put_aside", "retry")
        assert decision.completion.delay_ms == pytest.approx(500, abs=50)
    else:
        assert (decision.event.outcome, decision.completion.action) == ("handed_back", "return")
    assert (decision.completion.tries, decision.completion.record) == ("keep", b"")


@pytest.mark.parametrize(("name", "is_held"), [("step", True), ("other", False)])
async def test_a_job_is_held_while_the_breaker_of_its_function_is_open(name: str, is_held: bool) -> None:
    executor = make_executor(make_options())
    job = make_job(payload=envelope(name))
    assert not executor.is_held(job)
    for _ in range(3):
        executor._breaker.failed("step", Trouble("geocoder is unavailable", is_shared=False), 0)
    assert executor.is_held(job) is is_held
    assert not executor.is_held(make_job(payload=b"cannot be read"))


async def test_a_job_counts_as_started_when_the_breaker_lets_it_through() -> None:
    async def step(ctx: dict[Any, Any]) -> None: ...

    executor = make_executor(make_options(func(step, name="step")))
    job = make_job()
    for _ in range(3):
        executor._breaker.failed("other", Trouble("geocoder is unavailable", is_shared=False), 0)
    await executor.run(job)

    assert job.breaker_era == executor._breaker.era == 1


async def test_a_job_that_was_interrupted_before_its_first_step_is_not_run() -> None:
    ran = False

    async def step(ctx: dict[Any, Any]) -> None:
        nonlocal ran
        ran = True

    job = make_job()
    job.interrupt("shutdown")
    decision, context = await run_job(step, job=job)

    assert (decision.event.outcome, ran, context) == ("handed_back", False, None)


async def test_a_job_that_finishes_although_it_was_interrupted_is_complete() -> None:
    async def step(ctx: dict[Any, Any]) -> str:
        job.interrupt("shutdown")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "finished all the same"
        return "never"

    job = make_job()
    decision, _ = await run_job(step, job=job)

    assert decision.event.outcome == "complete"
    assert decision.completion is not None
    assert CODEC.decode(decision.completion.result)["r"] == "finished all the same"


async def test_a_retry_that_the_job_asked_for_at_shutdown_keeps_its_delay() -> None:
    async def step(ctx: dict[Any, Any]) -> None:
        job.interrupt("shutdown")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise Retry(defer=3) from None

    job = make_job()
    decision, _ = await run_job(step, job=job)

    assert decision.completion is not None
    assert (decision.completion.action, decision.completion.delay_ms) == ("retry", 3_000)


async def test_a_job_that_runs_too_long_is_interrupted_and_its_place_is_kept() -> None:
    async def step(ctx: dict[Any, Any]) -> None:
        await asyncio.Event().wait()

    decision, _ = await run_job(step, job_timeout=0.01, max_tries=1)

    assert decision.completion is not None
    failure = DeadLetter.model_validate_json(decision.completion.record).failure
    assert failure.message == "not finished within 0.01 s"
    assert "asyncio.Event().wait()" in failure.traceback


@pytest.mark.parametrize(
    ("function", "settings", "life_ms"),
    [
        ({}, {}, 3_600_000),
        ({}, {"keep_result": 0}, 0),
        ({}, {"keep_result_forever": True}, -1),
        ({"keep_result": 2}, {}, 2_000),
        ({"keep_result_forever": True}, {}, -1),
        ({"keep_result_forever": False}, {"keep_result_forever": True}, 3_600_000),
    ],
)
async def test_a_function_decides_before_its_worker_how_long_a_result_is_kept(
    function: dict[str, Any], settings: dict[str, Any], life_ms: int
) -> None:
    decision, _ = await run_job(_returns, function=function, **settings)

    assert decision.completion is not None
    assert decision.completion.result_life_ms == life_ms
    assert bool(decision.completion.result) == (life_ms != 0)


async def _returns(ctx: dict[Any, Any]) -> str:
    return "result"


async def test_a_function_decides_before_its_worker_how_often_it_is_tried() -> None:
    async def step(ctx: dict[Any, Any]) -> None:
        raise ConflictError("x")

    for function, outcome in (({"max_tries": 1}, "dead"), ({"max_tries": 2}, "retried"), ({}, "dead")):
        decision, _ = await run_job(step, function=function, max_tries=1)
        assert decision.event.outcome == outcome


async def test_a_result_that_cannot_be_serialised_ends_the_job_without_a_result() -> None:
    def broken(message: dict[str, Any]) -> bytes:
        raise TypeError("no")

    decision, _ = await run_job(_returns, serializer=broken)

    assert decision.completion is not None
    assert (decision.completion.action, decision.completion.result_life_ms) == ("done", 0)


async def test_a_caller_that_waits_gets_arqs_error_when_the_tries_are_spent() -> None:
    async def step(ctx: dict[Any, Any]) -> None:
        raise Retry

    decision, _ = await run_job(step, max_tries=1)

    assert decision.completion is not None
    error = CODEC.decode(decision.completion.result)["r"]
    assert (error.kind, error.message) == ("JobExecutionFailed", "max 1 retries exceeded")


async def test_the_job_gets_the_context_of_its_worker_and_of_its_try() -> None:
    seen: dict[Any, Any] = {}

    async def step(ctx: dict[Any, Any], first: int) -> None:
        seen.update(ctx, first=first)

    job = make_job(envelope("step", 7), tries=2)
    before = asyncio.get_running_loop().time()
    _, context = await run_job(step, job=job, job_timeout=60)

    assert context is not None
    assert seen == context | {"first": 7}
    assert (seen["from the worker"], seen["job_id"], seen["job_try"], seen["score"]) == (True, JOB_ID, 2, 5_000)
    assert seen["enqueue_time"].timestamp() == 4
    assert before + 60 <= seen["job_deadline"] <= asyncio.get_running_loop().time() + 60


async def test_a_job_that_reports_an_outage_when_its_time_is_over_spends_no_try() -> None:
    async def step(ctx: dict[str, Any]) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise OutageError("MongoDB writes nothing") from None

    decision, _ = await run_job(step, job_timeout=0.01, max_tries=1)
    assert decision.completion is not None
    assert (decision.completion.action, decision.completion.tries) == ("retry", "keep")
    assert (decision.event.outcome, decision.event.error_class) == ("retried", "OutageError")
    assert decision.trouble == Trouble("MongoDB is unavailable", is_shared=True)


async def test_a_job_without_a_timeout_or_a_finite_score_has_no_deadline_and_score_0() -> None:
    _, context = await run_job(_returns, job=make_job(score=-math.inf), job_timeout=None)

    assert context is not None
    assert (context["job_deadline"], context["score"]) == (math.inf, 0)


async def test_the_event_has_pickup_and_run_time_by_redis_clock() -> None:
    started: list[JobStarted] = []
    events = Events()
    events.subscribe(JobStarted, started.append)

    decision, _ = await run_job(_returns, events=events)

    assert decision.event.function == "step"
    assert decision.event.pickup_s == started[0].pickup_s > 1_000
    assert decision.event.run_s >= 0
    assert (started[0].job_id, started[0].queue, started[0].tries) == (JOB_ID, QUEUE, 1)


async def test_a_clock_that_is_set_back_makes_no_negative_run_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def step(ctx: dict[str, Any]) -> None:
        hour_ago = time.time_ns() - 3_600_000_000_000
        monkeypatch.setattr(time, "time_ns", lambda: hour_ago)

    decision, _ = await run_job(step)

    assert (decision.event.outcome, decision.event.run_s) == ("complete", 0)


async def test_the_start_and_the_end_of_a_try_have_the_same_token_and_the_start_the_trace_context() -> None:
    started: list[JobStarted] = []
    events = Events()
    events.subscribe(JobStarted, started.append)

    decision, _ = await run_job(_returns, job=make_job(envelope(traceparent="00-1-2-01")), events=events)

    assert started[0].token == decision.event.token == TOKEN
    assert started[0].trace_context == TraceContext("00-1-2-01")


async def test_a_job_sees_the_context_variables_that_a_listener_to_its_start_has_set() -> None:
    current: ContextVar[str] = ContextVar("current", default="none")
    seen: list[str] = []
    events = Events()

    def enter(event: JobStarted) -> None:
        current.set(event.job_id)

    events.subscribe(JobStarted, enter)

    async def step(ctx: dict[Any, Any]) -> None:
        seen.append(current.get())

    await run_job(step, events=events)

    assert (seen, current.get()) == ([JOB_ID], "none")


# ---- hooks --------------------------------------------------------------------------------------------------


async def test_hooks_run_around_the_job_in_their_order() -> None:
    order: list[str] = []

    def hook(name: str) -> Any:
        async def run(ctx: dict[Any, Any]) -> None:
            order.append(name)

        return run

    async def step(ctx: dict[Any, Any]) -> None:
        order.append("job")

    options = make_options(on_job_start=hook("start"), on_job_end=hook("end"), after_job_end=hook("after"))
    _, context = await run_job(step, on_job_start=options.on_job_start, on_job_end=options.on_job_end)
    assert context is not None
    await make_executor(options).run_after_job_end(context)

    assert order == ["start", "job", "end", "after"]


@pytest.mark.parametrize("name", ["on_job_start", "on_job_end"])
async def test_a_hook_that_hangs_fails_its_job_as_a_timeout_does(name: str) -> None:
    async def hook(ctx: dict[Any, Any]) -> None:
        await asyncio.Event().wait()

    settings: dict[str, Any] = {name: hook}
    decision, _ = await run_job(_returns, job_timeout=0.01, **settings)

    event = decision.event
    assert (event.outcome, event.error_class) == ("retried", "TimeoutError")
    assert decision.completion is not None
    assert f"{name} not finished within 0.01 s" in decision.completion.record.decode()


async def test_a_hook_that_raises_a_timeout_of_its_own_keeps_it() -> None:
    async def hook(ctx: dict[Any, Any]) -> None:
        raise TimeoutError("the geocoder")

    decision, _ = await run_job(_returns, job_timeout=60, on_job_start=hook)

    assert decision.completion is not None
    assert "the geocoder" in decision.completion.record.decode()


@pytest.mark.parametrize("job_timeout", [None, math.inf])
async def test_without_a_timeout_of_the_worker_a_hook_may_take_as_long_as_it_likes(
    job_timeout: float | None,
) -> None:
    async def hook(ctx: dict[Any, Any]) -> None:
        await asyncio.sleep(0.01)

    decision, _ = await run_job(_returns, job_timeout=job_timeout, on_job_start=hook)

    assert decision.event.outcome == "complete"


async def test_a_hook_that_hangs_after_the_end_of_its_job_is_given_up_and_reported() -> None:
    failed: list[HookFailed] = []
    events = Events()
    events.subscribe(HookFailed, failed.append)

    async def hook(ctx: dict[Any, Any]) -> None:
        await asyncio.Event().wait()

    options = make_options(after_job_end=hook, job_timeout=0.01)
    await make_executor(options, events).run_after_job_end({"job_id": JOB_ID})

    assert [(event.hook, event.error_class) for event in failed] == [("after_job_end", "TimeoutError")]


@pytest.mark.parametrize("name", ["on_job_start", "on_job_end"])
async def test_a_hook_that_fails_fails_its_job_and_is_reported(name: str) -> None:
    failed: list[HookFailed] = []
    events = Events()
    events.subscribe(HookFailed, failed.append)

    async def hook(ctx: dict[Any, Any]) -> None:
        raise PermanentError("hook")

    settings: dict[str, Any] = {name: hook}
    decision, _ = await run_job(_returns, events=events, **settings)

    assert (decision.event.outcome, decision.event.message) == ("dead", "hook")
    (event,) = failed
    assert (event.hook, event.job_id, event.error_class, event.message) == (name, JOB_ID, "PermanentError", "hook")
    assert "raise PermanentError" in event.stack


async def test_a_hook_that_asks_for_another_try_has_not_failed() -> None:
    failed: list[HookFailed] = []
    events = Events()
    events.subscribe(HookFailed, failed.append)

    async def hook(ctx: dict[Any, Any]) -> None:
        raise Retry(defer=5)

    decision, _ = await run_job(_returns, events=events, on_job_start=hook)

    assert (decision.event.outcome, decision.event.delay_s) == ("retried", 5)
    assert failed == []


async def test_a_hook_that_fails_after_a_failed_job_changes_nothing_and_is_reported() -> None:
    failed: list[HookFailed] = []
    events = Events()
    events.subscribe(HookFailed, failed.append)

    async def step(ctx: dict[Any, Any]) -> None:
        raise ConflictError("race")

    async def hook(ctx: dict[Any, Any]) -> None:
        raise ValueError("secret")

    decision, _ = await run_job(step, events=events, on_job_end=hook)

    assert (decision.event.outcome, decision.event.error_class) == ("retried", "ConflictError")
    (event,) = failed
    assert (event.hook, event.job_id, event.error_class, event.message) == ("on_job_end", JOB_ID, "ValueError", "")
    assert "raise ValueError" in event.stack


async def test_the_executor_itself_logs_nothing() -> None:
    async def step(ctx: dict[Any, Any]) -> None:
        raise JobExecutionFailed("x")

    with capture_logs() as logs:
        decision, _ = await run_job(step)

    assert decision.event.outcome == "dead"
    assert logs == []


# ---- tracers ------------------------------------------------------------------------------------------------


class Traced(PatchedRunJob):
    """Notes what passes through, as a tracer would."""

    def __init__(self) -> None:
        self.passed: list[tuple[str, int]] = []

    async def call(self, job_id: str, score: int, run: Callable[[], Awaitable[object]]) -> object:
        self.passed.append((job_id, score))
        return await run()


async def test_each_call_of_a_function_passes_through_what_is_around_arqs_run_job() -> None:
    async def refused(ctx: dict[Any, Any]) -> None:
        raise PermanentError("refused")

    traced = Traced()
    functions = [func(_returns, name="step"), func(refused, name="refused")]
    executor = make_executor(make_options(*functions), patched_run_job=traced)

    decisions = [(await executor.run(make_job(envelope(name))))[0] for name in ("step", "refused")]

    assert [decision.event.outcome for decision in decisions] == ["complete", "dead"]
    assert traced.passed == [(JOB_ID, 5_000)] * 2


async def test_a_job_that_is_not_run_does_not_pass_through_it() -> None:
    traced = Traced()
    executor = make_executor(make_options(func(_returns, name="step")), patched_run_job=traced)
    for _ in range(3):
        executor._breaker.failed("step", Trouble("geocoder is unavailable", is_shared=False), 0)

    payloads = [envelope("unknown"), b"cannot be read", envelope("step")]
    outcomes = [(await executor.run(make_job(payload)))[0].event.outcome for payload in payloads]

    assert outcomes == ["function_unknown", "dead", "put_aside"]
    assert traced.passed == []


# ---- jobs that do not stop ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "max_tries", "action", "outcome"),
    [
        ("shutdown", 1, "return", "handed_back"),
        ("timeout", 2, "retry", "retried"),
        ("timeout", 1, "dead", "dead"),
        ("abort", 1, "done", "aborted"),
        ("lost", 1, None, "lease_lost"),
    ],
)
async def test_a_job_that_does_not_stop_is_completed_as_if_it_had(
    reason: Interruption, max_tries: int, action: str | None, outcome: str
) -> None:
    running, may_end = asyncio.Event(), asyncio.Event()

    async def step(ctx: dict[Any, Any]) -> str:
        running.set()
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                continue
        return "result"

    job = make_job()
    executor = make_executor(make_options(func(step, name="step"), max_tries=max_tries))
    task = asyncio.create_task(executor.run(job))
    job.launched(task)  # type: ignore[arg-type]  # only cancelled, and its result is read here alone
    await running.wait()
    assert job.allowed_s == 300
    job.interrupt(reason)

    decision = executor.let_go(job)

    assert (decision.completion.action if decision.completion else None) == action
    assert (decision.event.outcome, decision.event.function) == (outcome, "step")
    assert (job.let_go, job.has_ended, job.attempt) == (True, True, None)
    may_end.set()
    await asyncio.wait_for(task, 10)


async def test_a_job_that_has_not_begun_is_handed_back_if_it_is_let_go() -> None:
    job = make_job()
    job.interrupt("shutdown")

    decision = make_executor(make_options()).let_go(job)

    assert decision.completion == Completion.hand_back(job.claimed, job.token)


# What the surrogates say cannot be part of this test's report; a worker meets them in tests/faults.
@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", [kind for kind in ERRORS if not kind.startswith("surrogates")])
async def test_any_error_ends_its_own_job_also_while_arqs_lines_are_written(kind: str) -> None:
    async def step(ctx: dict[Any, Any]) -> None:
        raise ERRORS[kind]()

    events = Events()
    log_events(events)
    log_like_arq(events)

    decision, _ = await run_job(step, events=events)
    events.send(decision.event)

    assert decision.completion is not None
    assert decision.completion.action == "dead"
    assert 0 < len(decision.completion.record) < 64 * 1024
