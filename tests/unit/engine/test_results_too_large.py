"""What becomes of a job whose result Redis does not take."""

import asyncio
import dataclasses
from typing import Any

from tests.support.engine import JOB_ID, make_executor, make_job, make_options, run_job
from tests.support.waiting import until
from tests.unit.engine.conftest import KeptEvents, claimed, finished
from worker.codec import Codec
from worker.engine.completer import Completer, ResultTooLarge
from worker.engine.context import EngineContext
from worker.engine.decision import Decision
from worker.engine.events import TryEnded
from worker.engine.executor import Executor
from worker.engine.options import JobContext
from worker.engine.running_job import RunningJob
from worker.engine.slots import Slots
from worker.queue.completion import Completion
from worker.queue.dead_letter import DeadLetter

ERROR = ResultTooLarge("result too large: 11 bytes, limit 10")


async def test_a_job_that_succeeded_becomes_a_dead_letter_and_does_not_run_again() -> None:
    async def step(ctx: dict[str, Any]) -> str:
        return "x" * 600_000

    decision, _ = await run_job(step)
    refused = make_executor(make_options()).without_result(decision, ERROR)

    assert refused.completion is not None
    assert (refused.completion.action, refused.completion.payload) == ("dead", make_job().claimed.payload)
    dead_letter = DeadLetter.model_validate_json(refused.completion.record)
    assert (dead_letter.job_id, dead_letter.function) == (JOB_ID, "step")
    assert (dead_letter.failure.type, dead_letter.failure.message) == ("ResultTooLarge", str(ERROR))
    # A caller that waits for the result gets the error at once.
    result = Codec().decode(refused.completion.result)
    assert (result["s"], str(result["r"])) == (False, f"ResultTooLarge: {ERROR}")
    assert (refused.event.outcome, refused.event.message) == ("dead", str(ERROR))
    assert refused.event.reason == "the result cannot be stored"


async def test_a_job_that_failed_keeps_its_dead_letter_and_loses_its_result() -> None:
    async def step(ctx: dict[str, Any]) -> None:
        raise ValueError("wrong")

    decision, _ = await run_job(step)
    refused = make_executor(make_options()).without_result(decision, ERROR)

    assert decision.completion is not None
    assert refused.completion == decision.completion._replace(result=b"", result_life_ms=0)
    assert refused.event == decision.event


class LargeResults(Executor):
    """Returns results that are too large, and notes what it is asked instead."""

    def __init__(self) -> None:
        self.hooks = 0

    async def run(self, job: RunningJob) -> tuple[Decision, JobContext | None]:
        job.begin()
        job.end()
        return Decision(
            Completion.done(job.claimed, job.token, result=bytes(11)), finished("complete", job.name)
        ), {}

    def without_result(self, decision: Decision, error: Exception) -> Decision:
        assert decision.completion is not None
        completion = decision.completion._replace(action="dead", result=b"")
        return Decision(completion, decision.event._replace(outcome="dead", message=str(error)))

    async def run_after_job_end(self, context: JobContext, function: str = "") -> None:
        self.hooks += 1


class SmallLimit(Completer):
    """Takes results of up to ten bytes."""

    def __init__(self) -> None:
        self.stored: list[Completion] = []

    def submit(self, completion: Completion) -> "asyncio.Future[bool]":
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if len(completion.result) > 10:
            future.set_exception(ERROR)
        else:
            self.stored.append(completion)
            future.set_result(True)
        return future


class Silent:
    """A connection on which every renewal succeeds."""

    def register_script(self, source: str) -> Any:
        return lambda keys, args: []

    def close(self) -> None: ...


async def test_the_decision_without_the_result_is_stored_and_reported(
    context: EngineContext, events: KeptEvents
) -> None:
    executor, completer = LargeResults(), SmallLimit()
    silent: Any = Silent
    slots = Slots(dataclasses.replace(context, completer=completer), executor, silent)

    await slots.start([claimed(b"a")], "token")
    await until(lambda: not len(slots))
    await slots.close()

    assert [(completion.job_id, completion.action) for completion in completer.stored] == [(b"a", "dead")]
    assert [(event.outcome, event.message) for event in events.of(TryEnded)] == [("dead", str(ERROR))]
    assert executor.hooks == 1
