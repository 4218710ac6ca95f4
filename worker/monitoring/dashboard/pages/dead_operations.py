"""Operations on many dead letters: listed, watched, stopped and continued."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from worker.errors import RegistryError
from worker.monitoring.dashboard.access import LoggedIn, Operator, PostedForm, SharedServices
from worker.monitoring.dashboard.acts import acting_of, record
from worker.monitoring.dashboard.problems import Problem
from worker.monitoring.dashboard.rendering import render, render_part
from worker.monitoring.dashboard.services import Services
from worker.monitoring.dashboard.sessions import Session
from worker.monitoring.dashboard.streams import stream
from worker.monitoring.times import instant
from worker.queue.dead_operations import DeadOperations, Operation, OperationNotFound

router = APIRouter()
_LISTED = 50
_LOOK_S = 1.0

OperationId = Annotated[str, Query(alias="id", max_length=100)]


@router.get("/dead/operations")
async def list_operations(request: Request, services: SharedServices, _session: LoggedIn) -> Response:
    """Show the latest operations."""
    operations = DeadOperations(services.redis)
    found, now_ms = await services.read(operations.all()), await services.read(operations.now_ms())
    rows = [(operation, instant(operation.plan.begun_ms, now_ms)) for operation in found[:_LISTED]]
    return render(request, "dead_operations.html", rows=rows, most=_LISTED)


@router.get("/dead/operation")
async def show_operation(
    request: Request, services: SharedServices, session: LoggedIn, operation_id: OperationId
) -> Response:
    """Show what an operation does, how far it is, and whether it runs."""
    return render(request, "dead_operation.html", **await _shown(services, session, operation_id))


@router.get("/dead/operation/live")
async def stream_operation(
    request: Request, services: SharedServices, session: LoggedIn, operation_id: OperationId
) -> Response:
    """Send the parts of that page every second, until the operation does not run any more."""
    await _find(services, operation_id)
    return stream(request, services, _parts(services, session, operation_id))


@router.post("/dead/operation/stop")
async def stop(
    services: SharedServices, session: Operator, form: PostedForm, operation_id: OperationId
) -> Response:
    """Stop an operation: the dead letters that it has not come to stay as they are."""
    operation = await _find(services, operation_id)
    state: str = operation.state
    if state in ("running", "interrupted"):
        await record(services, session, "stop", "operation", operation_id, form)
        # It may have ended since it was found.
        state = await services.read(DeadOperations(services.redis).stop(operation_id))
        if state == "running":
            session.notice = "The operation was stopped. What it has done stays done."
            return _page_of(operation_id)
    session.notice = f"There is nothing to stop: the operation is {state}."
    return _page_of(operation_id)


@router.post("/dead/operation/continue")
async def go_on(
    services: SharedServices, session: Operator, form: PostedForm, operation_id: OperationId
) -> Response:
    """Continue an operation that was stopped or interrupted, in this process."""
    operation, operations = await _find(services, operation_id), DeadOperations(services.redis)
    state: str = operation.state
    if state in ("stopped", "interrupted"):
        await record(services, session, "continue", "operation", operation_id, form)
        # It may have ended since it was found.
        state = await services.read(operations.take(operation_id))
        if state not in ("finished", "gone"):
            operation = await services.read(operations.get(operation_id))
            services.dead_runner.start(operations, operation, acting_of(session, form))
            session.notice = "The operation goes on."
            return _page_of(operation_id)
    session.notice = f"There is nothing to continue: the operation is {state}."
    return _page_of(operation_id)


async def _parts(services: Services, session: Session, operation_id: str) -> AsyncGenerator[str, None]:
    state = "running"
    while state == "running":
        await asyncio.sleep(_LOOK_S)
        try:
            shown = await _shown(services, session, operation_id)
        except RegistryError:
            # The page says as of when it is; it goes on when Redis is back.
            continue
        except Problem:
            # It has expired meanwhile.
            return
        state = shown["operation"].state
        yield render_part("dead_operation_parts.html", session=session, **shown)


async def _shown(services: Services, session: Session, operation_id: str) -> dict[str, Any]:
    operation = await _find(services, operation_id)
    now_ms = await services.read(DeadOperations(services.redis).now_ms())
    return {
        "operation": operation,
        "plan": operation.plan,
        "begun": instant(operation.plan.begun_ms, now_ms),
        "seen": instant(operation.seen_ms, now_ms),
        "can_stop": session.user.acts and operation.state in ("running", "interrupted"),
        "can_continue": session.user.acts and operation.state in ("stopped", "interrupted"),
    }


async def _find(services: Services, operation_id: str) -> Operation:
    try:
        return await services.read(DeadOperations(services.redis).get(operation_id))
    except OperationNotFound:
        raise Problem(
            404,
            "No such operation",
            "No operation has this id, or it is older than 30 days.",
            "Choose one from the list of operations on dead letters.",
        ) from None


def _page_of(operation_id: str) -> Response:
    return RedirectResponse(f"/dead/operation?{urlencode({'id': operation_id})}", status_code=303)
