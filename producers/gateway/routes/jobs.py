"""One job: its state, its outcome, why it is where it is, its life as events, and a request to abort it."""

import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from producers.gateway.access import Operator, Reader
from producers.gateway.acts import record
from producers.gateway.answers import answer
from producers.gateway.guard import take_any_time, wait_longer
from producers.gateway.outcomes import ENDED, known, nothing_to_change, shown_outcome, shown_status
from producers.gateway.queries import only_known_names
from producers.gateway.services import Services, SharedServices
from producers.gateway.shapes import AbortShown, ExplanationShown, OutcomeShown, StatusShown
from producers.gateway.streams import EVENTS, KEEP_ALIVE, KEEP_ALIVE_S, event
from producers.receipts import JobStatus
from worker.errors import JobNotFound, OutageError
from worker.monitoring.aborting import NOT_ENDED, ask_for_abort
from worker.monitoring.explain import explain
from worker.monitoring.history import ends_of
from worker.monitoring.job_facts import JobFacts, read_job_facts
from worker.monitoring.shown_facts import Instant, shown_facts

router = APIRouter(tags=["jobs"], dependencies=[Depends(only_known_names)])

LONGEST_WAIT_S = 60.0
# How soon a stream shows that a job was taken; its end is shown at once.
_LOOK_S = 1.0

JobId = Annotated[str, Path(max_length=2_000, examples=["register_hospital:licence-4711"])]
Wait = Annotated[
    float, Query(ge=0, le=LONGEST_WAIT_S, description="seconds to wait at most, if the job has not ended")
]


@router.get("/v1/jobs/{job_id:path}", response_model=StatusShown)
async def show_status(services: SharedServices, _key: Reader, job_id: JobId) -> Response:
    """Show the state of a job."""
    return answer(shown_status(known(await services.producer.status(job_id))))


@router.get("/v1/outcomes/{job_id:path}", response_model=OutcomeShown, responses={202: {"model": StatusShown}})
async def show_outcome(
    request: Request, services: SharedServices, _key: Reader, job_id: JobId, wait: Wait = 0
) -> Response:
    """Show how a job has ended; with 202, that it has not ended yet."""
    wait_longer(request, wait)
    status = known(await services.producer.status(job_id, wait=wait))
    if status.state in ENDED:
        return answer(shown_outcome(status))
    return answer(shown_status(status), 202, {"Retry-After": "1"})


@router.get("/v1/explanations/{job_id:path}", response_model=ExplanationShown)
async def show_explanation(services: SharedServices, _key: Reader, job_id: JobId) -> Response:
    """Show why a job is in its state, what would change that, and every fact."""
    facts = await _facts(services, job_id)
    if facts.is_past and services.settings.worker_history_days:
        facts = await _with_history(services, facts)
    explanation = explain(facts)
    if explanation.state == "unknown":
        raise JobNotFound(f"{job_id} {explanation.reason}")
    shown = shown_facts(facts, explanation.state)
    return answer(
        {
            "job_id": job_id,
            "state": explanation.state,
            "reason": explanation.reason,
            "change": explanation.change,
            "facts": {name: fact.json() if isinstance(fact, Instant) else fact for name, fact in shown.items()},
        }
    )


@router.delete("/v1/jobs/{job_id:path}", status_code=202, response_model=AbortShown)
async def abort(services: SharedServices, key: Operator, job_id: JobId) -> Response:
    """Ask workers not to run a job, or to cancel it if it runs. The request is recorded as an action."""
    facts = await _facts(services, job_id)
    state, reason, _ = explain(facts)
    if state == "unknown":
        raise JobNotFound(f"{job_id} {reason}")
    if state not in NOT_ENDED:
        raise nothing_to_change(f"There is nothing to abort: {job_id} {reason}.")
    await record(services, key, "abort", "job", job_id)
    await services.read(ask_for_abort(services.redis, facts, state))
    return answer({"job_id": job_id, "state": state}, 202)


@router.get("/v1/events/jobs/{job_id:path}", response_class=Response, responses=EVENTS)
async def stream_job(request: Request, services: SharedServices, _key: Reader, job_id: JobId) -> Response:
    """Send the life of a job: an event `state` for each state, and `outcome` when it has ended."""
    status = known(await services.producer.status(job_id))
    take_any_time(request)
    return services.streams.answer(_life(services, status))


async def _life(services: Services, status: JobStatus) -> AsyncGenerator[bytes, None]:
    shown: tuple[str, int] | None = None
    sent_at = time.monotonic()
    while True:
        if shown != (status.state, status.tries):
            shown, sent_at = (status.state, status.tries), time.monotonic()
            yield event("state", shown_status(status))
        elif time.monotonic() - sent_at > KEEP_ALIVE_S:
            sent_at = time.monotonic()
            yield KEEP_ALIVE
        if status.state in ENDED:
            yield event("outcome", shown_outcome(status))
            return
        status = known(await services.producer.status(status.job_id, wait=_LOOK_S))


async def _facts(services: Services, job_id: str) -> JobFacts:
    queues = tuple(services.settings.worker_queues)
    return await services.read(read_job_facts(services.redis, services.codec, job_id, queues))


async def _with_history(services: Services, facts: JobFacts) -> JobFacts:
    """Return the facts with how the job ended, as the history says; without MongoDB nothing is added."""
    try:
        ends = await services.read_mongo(services.read(ends_of(services.redis, services.mongo, facts.job_id)))
    except OutageError as error:
        services.outages.note(error)
        return facts
    return replace(facts, ends=ends, has_history=True)
