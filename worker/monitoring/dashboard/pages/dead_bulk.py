"""Retry or discard all dead letters that a filter selects: previewed, confirmed, and begun."""

import re
import time
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from worker.monitoring.dashboard.access import Form, Operator, PostedForm, SharedServices
from worker.monitoring.dashboard.acts import acting_of, log_act
from worker.monitoring.dashboard.pages.dead_letters import Filter
from worker.monitoring.dashboard.problems import Problem
from worker.monitoring.dashboard.rendering import render
from worker.monitoring.dashboard.services import Services
from worker.monitoring.dashboard.sessions import Session
from worker.monitoring.times import instant
from worker.queue.dead_letter_filter import DeadLetterFilter
from worker.queue.dead_letter_store import DeadLetterStore
from worker.queue.dead_operations import (
    DeadOperations,
    OperationAct,
    OperationNotFound,
    Plan,
    new_operation_id,
)
from worker.queue.dead_preview import Preview

router = APIRouter()
# Dead letters per second, unless the operator chooses another rate.
_USUAL_RATE = 100
# Some thousands are counted within that; of more the page first says that it takes time.
_COUNTED_AT_ONCE_S = 0.1
_COUNTED_WITHIN_S = 30.0
_OPERATION_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")


@router.get("/dead/bulk")
async def preview_bulk(
    request: Request,
    services: SharedServices,
    _session: Operator,
    act: Annotated[OperationAct, Query()],
    function: Filter = "",
    error: Filter = "",
    whole: Annotated[bool, Query()] = False,
) -> Response:
    """Show how many dead letters are meant and the first of them, and ask.

    If they are too many to be counted at once, the page says so, and asks for `whole`.
    """
    wanted = _filter(function, error)
    # Before the letters are read: what dies later is not previewed and not meant.
    begun_ms = await services.read(DeadOperations(services.redis).now_ms())
    preview, is_whole = await _look(services, wanted, _COUNTED_WITHIN_S if whole else _COUNTED_AT_ONCE_S)
    if whole and not is_whole:
        raise Problem(
            503,
            "Too many to count",
            f"The dead letters could not be counted within {_COUNTED_WITHIN_S:g} s.",
            "Use hospital-worker dead retry or dead discard, which take their time.",
        )
    return render(
        request,
        "dead_bulk.html",
        act=act,
        filters={"function": function.strip(), "error": error.strip()},
        selected=wanted.as_text(),
        preview=preview,
        is_whole=is_whole,
        first=[(letter, instant(letter.failure.at_ms, begun_ms)) for letter in preview.first],
        begun_ms=begun_ms,
        operation_id=new_operation_id(begun_ms),
        usual_rate=_USUAL_RATE,
    )


@router.post("/dead/bulk")
async def begin_bulk(services: SharedServices, session: Operator, form: PostedForm) -> Response:
    """Begin what was previewed, and show how far it is. A form that is sent twice begins one operation."""
    operation_id, plan, operations = form.get("operation", ""), _plan(session, form), DeadOperations(services.redis)
    if not _OPERATION_ID.fullmatch(operation_id) or plan.begun_ms > await services.read(operations.now_ms()):
        raise _invalid()
    async with services.dead_runner.beginning:
        try:
            await services.read(operations.get(operation_id))
        except OperationNotFound:
            operation = await services.read(operations.begin(plan, operation_id))
            log_act(session, plan.act, operation_id)
            services.dead_runner.start(operations, operation, acting_of(session, form))
    return RedirectResponse(f"/dead/operation?{urlencode({'id': operation_id})}", status_code=303)


async def _look(services: Services, wanted: DeadLetterFilter, seconds: float) -> tuple[Preview, bool]:
    """Return the preview, and whether all were counted within that time."""
    preview, until = Preview(), time.monotonic() + seconds
    pages = DeadLetterStore(services.redis).pages(wanted)
    while (page := await services.read(anext(pages, None))) is not None:
        preview.add(page)
        if time.monotonic() > until:
            return preview, False
    return preview, True


def _plan(session: Session, form: Form) -> Plan:
    acting = acting_of(session, form)
    try:
        return Plan.model_validate(
            {
                "act": form.get("act"),
                "selection": _filter(form.get("function", ""), form.get("error", "")).as_text(),
                "total": form.get("count"),
                "rate": form.get("rate"),
                "by": acting.actor,
                "reason": acting.reason,
                "begun_ms": form.get("begun"),
            }
        )
    except ValidationError as error:
        if {problem["loc"] for problem in error.errors()} == {("rate",)}:
            raise Problem(
                400,
                "Invalid rate",
                "The rate is a number of dead letters per second, from 0.01 on.",
                "Go back and correct it: nothing was done.",
            ) from None
        raise _invalid() from None


def _filter(function: str, error: str) -> DeadLetterFilter:
    return DeadLetterFilter(function=function.strip() or None, error=error.strip() or None)


def _invalid() -> Problem:
    return Problem(
        400, "Invalid form", "The form is not one of this page, so nothing was done.", "Open the preview again."
    )
