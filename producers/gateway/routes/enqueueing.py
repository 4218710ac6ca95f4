"""Enqueues each kind of job. The owner of the key is the actor of what is audited; no client can choose another."""

from typing import Annotated, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from producers.gateway import openapi
from producers.gateway.access import Enqueuer
from producers.gateway.answers import answer
from producers.gateway.job_options import IdempotencyKey, When
from producers.gateway.job_route import JobRoute
from producers.gateway.services import services_of
from producers.gateway.shapes import (
    Amendment,
    Correction,
    Discard,
    Ingestion,
    ReceiptShown,
    Records,
    Registration,
    Withdrawal,
)
from producers.options import EnqueueOptions
from worker import contract
from worker.contract import JobSpec
from worker.contract.validation import parse

P = TypeVar("P", bound=BaseModel)

router = APIRouter(tags=["enqueue"], route_class=JobRoute)


@router.post("/v1/jobs/ingest_hospital", status_code=202, response_model=ReceiptShown)
async def ingest_hospital(
    request: Request,
    _key: Enqueuer,
    body: Annotated[Ingestion, Body(openapi_examples=openapi.INGEST)],
    when: Annotated[When, Query()],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Ingest one record of a feed."""
    return await _enqueue(request, contract.INGEST_HOSPITAL, body, when.options(idempotency_key))


@router.post("/v1/jobs/ingest_hospitals", status_code=202, response_model=ReceiptShown)
async def ingest_hospitals(
    request: Request,
    _key: Enqueuer,
    body: Annotated[Records, Body(openapi_examples=openapi.INGEST_MANY)],
    when: Annotated[When, Query()],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Ingest up to 1,000 records, through the queue of imports."""
    payload = parse(contract.IngestHospitals, {"records": body.records, "on_existing": body.on_existing})
    return await _enqueue(request, contract.INGEST_HOSPITALS, payload, when.options(idempotency_key))


@router.post("/v1/jobs/correct_hospital", status_code=202, response_model=ReceiptShown)
async def correct_hospital(
    request: Request,
    _key: Enqueuer,
    body: Annotated[Correction, Body(openapi_examples=openapi.CORRECT)],
    when: Annotated[When, Query()],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Change a hospital that is not registered, and still has a revision."""
    return await _enqueue(request, contract.CORRECT_HOSPITAL, body, when.options(idempotency_key))


@router.post("/v1/jobs/discard_hospital", status_code=202, response_model=ReceiptShown)
async def discard_hospital(
    request: Request,
    _key: Enqueuer,
    body: Annotated[Discard, Body(openapi_examples=openapi.DISCARD)],
    when: Annotated[When, Query()],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Remove a hospital that is not registered, and still has a revision."""
    return await _enqueue(request, contract.DISCARD_HOSPITAL, body, when.options(idempotency_key))


@router.post("/v1/jobs/register_hospital", status_code=202, response_model=ReceiptShown)
async def register_hospital(
    request: Request,
    key: Enqueuer,
    body: Annotated[Registration, Body(openapi_examples=openapi.REGISTER)],
    when: Annotated[When, Query()],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Register a hospital, with an entry in the audit log."""
    given = {"record": body.record, "actor": key.owner, "reason": body.reason}
    payload = parse(contract.RegisterHospital, given)
    return await _enqueue(request, contract.REGISTER_HOSPITAL, payload, when.options(idempotency_key))


@router.post("/v1/jobs/amend_hospital", status_code=202, response_model=ReceiptShown)
async def amend_hospital(
    request: Request,
    key: Enqueuer,
    body: Annotated[Amendment, Body(openapi_examples=openapi.AMEND)],
    when: Annotated[When, Query()],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Change a registered hospital, with an entry in the audit log."""
    payload = parse(contract.AmendHospital, {**_given(body), "actor": key.owner})
    return await _enqueue(request, contract.AMEND_HOSPITAL, payload, when.options(idempotency_key))


@router.post("/v1/jobs/withdraw_hospital", status_code=202, response_model=ReceiptShown)
async def withdraw_hospital(
    request: Request,
    key: Enqueuer,
    body: Annotated[Withdrawal, Body(openapi_examples=openapi.WITHDRAW)],
    when: Annotated[When, Query()],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Remove a registered hospital, with an entry in the audit log that keeps it."""
    payload = parse(contract.WithdrawHospital, {**_given(body), "actor": key.owner})
    return await _enqueue(request, contract.WITHDRAW_HOSPITAL, payload, when.options(idempotency_key))


def _given(body: BaseModel) -> dict[str, object]:
    """Return the fields of a body, whose own models are checked already."""
    return dict(body)


async def _enqueue(request: Request, spec: JobSpec[P, BaseModel], payload: P, options: EnqueueOptions) -> Response:
    services = await services_of(request)
    receipt = await services.producer.enqueue(spec, payload, **options)
    links = links_of(request, receipt.job_id)
    content = {"job_id": receipt.job_id, "state": receipt.state, "links": links}
    return answer(content, 202, {"Location": links["status"]})


def links_of(request: Request, job_id: str) -> dict[str, str]:
    """Return where a client asks for a job."""
    base, name = f"{request.scope.get('root_path', '')}/v1", quote(job_id, safe=":~")
    return {
        "status": f"{base}/jobs/{name}",
        "outcome": f"{base}/outcomes/{name}",
        "explanation": f"{base}/explanations/{name}",
        "events": f"{base}/events/jobs/{name}",
    }
