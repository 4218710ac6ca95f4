"""What a completion says of its job's batch, by how the try ends."""

import asyncio
from typing import Any

import pytest
from arq.worker import func

from tests.support.engine import envelope, make_executor, make_job, make_options, run_job
from worker.engine.batch_run import BatchRun
from worker.engine.running_job import Interruption
from worker.errors import PermanentError, TransientError

# The redis of a worker is only used to read the batch.
CTX: dict[str, Any] = {"redis": None}


def job_of_a_batch(**claim: Any) -> Any:
    return make_job(envelope(b="import-7"), **claim)


@pytest.mark.parametrize(
    ("error", "entry"),
    [
        (None, "import-7 complete rows=12 created=1"),
        (PermanentError("x"), "import-7 dead"),
        (ValueError("x"), "import-7 dead"),
        (TransientError("x"), "import-7"),
    ],
)
async def test_only_a_job_that_completes_counts_what_it_has_counted(error: Exception | None, entry: str) -> None:
    async def step(ctx: dict[str, Any]) -> str:
        ctx["batch"].count("rows", 10)
        ctx["batch"].count("created")
        ctx["batch"].count("rows", 2)
        if error is not None:
            raise error
        return "result"

    decision, _ = await run_job(step, job=job_of_a_batch(), ctx=CTX)

    assert decision.completion is not None
    assert decision.completion.batch == entry


@pytest.mark.parametrize(
    ("by", "entry"),
    [("abort", "import-7 aborted"), ("shutdown", "import-7"), ("timeout", "import-7"), ("postponed", "import-7")],
)
async def test_an_interrupted_job_counts_as_aborted_or_runs_again(by: Interruption, entry: str) -> None:
    job = job_of_a_batch()

    async def step(ctx: dict[str, Any]) -> None:
        ctx["batch"].count("rows")
        job.interrupt(by)
        await asyncio.Event().wait()

    decision, _ = await run_job(step, job=job, ctx=CTX)

    assert decision.completion is not None
    assert decision.completion.batch == entry


@pytest.mark.parametrize(
    ("claim", "entry"),
    [
        # Aborted before its start, its tries spent, its owners lost: its function is not called.
        ({"abort_ms": 4_000.0}, "import-7 aborted"),
        ({"tries": 99}, "import-7 dead"),
        ({"crashes": 3}, "import-7 dead"),
        # Without an envelope it is not known to be in a batch.
        ({"problem": "missing", "payload": b""}, ""),
        ({"payload": b"{"}, ""),
    ],
)
async def test_a_job_that_does_not_start_is_counted_if_its_envelope_is_read(
    claim: dict[str, Any], entry: str
) -> None:
    async def step(ctx: dict[str, Any]) -> None:
        raise AssertionError("called")

    job = make_job(**({"payload": envelope(b="import-7")} | claim))
    decision, _ = await run_job(step, job=job, ctx=CTX)

    assert decision.completion is not None
    assert decision.completion.batch == entry


async def test_a_job_of_an_unknown_function_runs_again() -> None:
    executor = make_executor(make_options(ctx=CTX))
    decision, _ = await executor.run(make_job(envelope("unknown", b="import-7")))

    assert decision.completion is not None
    assert (decision.completion.action, decision.completion.batch) == ("retry", "import-7")


async def test_a_job_whose_result_cannot_be_stored_counts_as_dead() -> None:
    async def step(ctx: dict[str, Any]) -> str:
        ctx["batch"].count("rows")
        return "x" * 1_000_000

    options = make_options(func(step, name="step"), ctx=CTX)
    executor = make_executor(options)
    decision, _ = await executor.run(job_of_a_batch())
    assert decision.completion is not None
    assert decision.completion.batch == "import-7 complete rows=1"

    refused = executor.without_result(decision, PermanentError("too large"))

    assert refused.completion is not None
    assert (refused.completion.action, refused.completion.batch) == ("dead", "import-7 dead")


async def test_a_job_of_no_batch_has_none_in_its_context() -> None:
    async def step(ctx: dict[str, Any]) -> bool:
        return "batch" in ctx

    decision, context = await run_job(step, ctx=CTX)

    assert decision.completion is not None
    assert decision.completion.batch == ""
    assert context is not None
    assert "batch" not in context


@pytest.mark.parametrize(("name", "number"), [("Rows", 1), ("rows=1 x", 1), ("rows", -1)])
def test_a_count_that_cannot_be_stored_is_refused(name: str, number: int) -> None:
    with pytest.raises(ValueError, match="a job counts"):
        BatchRun("import-7", CTX["redis"]).count(name, number)
