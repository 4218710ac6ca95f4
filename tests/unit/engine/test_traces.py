"""What the history is told of a try: one trace for each job that has ended, and none for one that runs again."""

import asyncio
from typing import Any, cast

import pytest
from arq.worker import func

from tests.support.engine import JOB_ID, QUEUE, envelope, make_executor, make_job, make_options, run_job
from worker.contract import IngestOutcome
from worker.contract.job_ends import JobEnd
from worker.engine.completer import ResultTooLarge
from worker.engine.decision import Decision
from worker.errors import ConflictError, OperationRefused, OutageError
from worker.jobs.context import ABOUT_KEY
from worker.queue.dead_letter import DeadLetter

CREATED = IngestOutcome(hospital_id="cms:7", status="created")


class Payload:
    """What an arq user's job returns: it has a status too, and that may be payload."""

    status = "a patient"


async def decided(ends: object, *, payload: bytes | None = None, by: Any = None, **settings: Any) -> Decision:
    """Return the decision on a job that says what it is about, and then returns or raises `ends`."""
    job = make_job(payload)

    async def step(ctx: dict[str, Any]) -> object:
        ctx[ABOUT_KEY] = "cms:7"
        if by is not None:
            job.interrupt(by)
            await asyncio.sleep(0)
        if isinstance(ends, BaseException):
            raise ends
        return ends

    decision, _ = await run_job(step, job=job, **{"keeps_history": True, **settings})
    return decision


def end_of(decision: Decision) -> JobEnd | None:
    assert decision.completion is not None
    trace = decision.completion.trace
    return None if trace is None else JobEnd.of(list(trace))


@pytest.mark.parametrize(
    ("ends", "outcome", "status", "error", "reason"),
    [
        (None, "complete", "", "", ""),
        (CREATED, "complete", "created", "", ""),
        ({"status": "a patient"}, "complete", "", "", ""),
        (Payload(), "complete", "", "", ""),
        (ValueError("a patient"), "dead", "", "ValueError", "unexpected error"),
    ],
)
async def test_a_job_that_ends_is_traced(ends: Any, outcome: str, status: str, error: str, reason: str) -> None:
    end = end_of(await decided(ends, serializer=repr_bytes))

    assert end is not None
    assert end.enqueued_ms == 4_000
    assert 0 < end.started_ms <= end.ended_ms
    assert end._replace(enqueued_ms=0, started_ms=0, ended_ms=0) == JobEnd(
        JOB_ID, "step", QUEUE, outcome, 1, 0, 0, 0, status, error, reason, "", "cms:7"
    )


def repr_bytes(value: Any) -> bytes:
    return repr(value).encode()


async def test_an_aborted_job_is_traced() -> None:
    end = end_of(await decided(None, by="abort"))

    assert end is not None
    assert (end.outcome, end.error, end.hospital_id) == ("aborted", "", "cms:7")


async def test_a_job_of_a_batch_is_traced_with_it() -> None:
    end = end_of(await decided(None, payload=envelope(b="load-7"), ctx={"redis": None}))

    assert end is not None
    assert end.batch == "load-7"


async def test_a_long_reason_is_cut() -> None:
    end = end_of(await decided(OperationRefused("x" * 1_000), max_tries=1))

    assert end is not None
    assert len(end.reason) == 300


@pytest.mark.parametrize(("payload", "function"), [(b"{", ""), (envelope("no_such_job"), "no_such_job")])
async def test_a_job_that_could_not_be_called_is_traced(payload: bytes, function: str) -> None:
    executor = make_executor(make_options(burst=True), keeps_history=True)
    decision, _ = await executor.run(make_job(payload))

    end = end_of(decision)
    assert end is not None
    assert (end.job_id, end.function, end.outcome, end.hospital_id) == (JOB_ID, function, "dead", "")


@pytest.mark.parametrize(("ends", "by"), [(ConflictError("x"), None), (OutageError("x"), None), (None, "shutdown")])
async def test_a_job_that_runs_again_is_not_traced(ends: Any, by: Any) -> None:
    assert end_of(await decided(ends, by=by)) is None


@pytest.mark.parametrize("ends", [None, ValueError("x")])
async def test_without_a_history_nothing_is_traced(ends: Any) -> None:
    assert end_of(await decided(ends, keeps_history=False)) is None


async def test_a_result_that_cannot_be_stored_is_traced_as_the_dead_letter_that_it_becomes() -> None:
    async def step(_: Any) -> str:
        return "x" * 1_000_000

    executor = make_executor(make_options(func(cast(Any, step), name="step")), keeps_history=True)
    decision, _ = await executor.run(make_job())

    refused = executor.without_result(decision, ResultTooLarge("too large"))

    end = end_of(refused)
    assert refused.completion is not None
    assert DeadLetter.model_validate_json(refused.completion.record).failure.type == "ResultTooLarge"
    assert end is not None
    assert (end.outcome, end.error) == ("dead", "ResultTooLarge")
