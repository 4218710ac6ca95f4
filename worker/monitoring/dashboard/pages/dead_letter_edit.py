"""Correct the payload of a dead letter, then retry it."""

import json
from collections.abc import Sequence
from typing import Any, NoReturn

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response

from worker.contract import JOBS, has_key
from worker.contract.validation import parse
from worker.errors import InvalidEnvelope, InvalidPayload
from worker.monitoring.dashboard.access import Operator, PostedForm, SharedServices, is_same
from worker.monitoring.dashboard.acts import record
from worker.monitoring.dashboard.masking import LARGEST_SHOWN, payload_text
from worker.monitoring.dashboard.pages.dead_letters import find_dead_letter, retry_letter
from worker.monitoring.dashboard.pages.jobs import JobId
from worker.monitoring.dashboard.problems import Problem
from worker.monitoring.dashboard.rendering import render
from worker.monitoring.dashboard.services import Services
from worker.queue.dead_letter import DeadLetter, payload_digest
from worker.queue.dead_letter_edit import replace_payload
from worker.queue.digests import stored_digest

router = APIRouter()
_log = structlog.stdlib.get_logger(__name__)


@router.get("/dead/edit")
async def show_editor(request: Request, services: SharedServices, session: Operator, job_id: JobId) -> Response:
    """Show the arguments of a dead letter in a form."""
    dead_letter = await find_dead_letter(services, job_id)
    _message(services, dead_letter)
    _log.info("a payload was shown", action="dashboard_payload_shown", user=session.user.name, job_id=job_id)
    text = payload_text(services.codec, dead_letter.envelope, whole=True)
    return _form(request, dead_letter, text, payload_digest(dead_letter.envelope))


@router.post("/dead/edit")
async def retry_edited(
    request: Request, services: SharedServices, session: Operator, form: PostedForm, job_id: JobId
) -> Response:
    """Store corrected arguments and retry the job. Invalid ones are refused, with the reason of each field."""
    dead_letter = await find_dead_letter(services, job_id)
    message = _message(services, dead_letter)
    text, digest = form.get("arguments", ""), form.get("digest", "")
    if not is_same(digest, payload_digest(dead_letter.envelope)):
        raise _changed()
    problems = _correct(message, text)
    envelope = b""
    if not problems:
        envelope, problems = _encoded(services, message)
    if problems:
        return _form(request, dead_letter, text, digest, problems, form.get("reason", ""))
    await record(services, session, "edit", "dead letters", job_id, form)
    if not await services.read(replace_payload(services.redis, dead_letter, envelope)):
        raise _changed()
    return await retry_letter(services, session, await find_dead_letter(services, job_id), form)


def _form(
    request: Request,
    dead_letter: DeadLetter,
    text: str,
    digest: str,
    problems: Sequence[str] = (),
    reason: str = "",
) -> Response:
    return render(
        request,
        "edit.html",
        status=422 if problems else 200,
        job_id=dead_letter.job_id,
        letter=dead_letter,
        text=text,
        digest=digest,
        problems=problems,
        reason=reason,
    )


def _message(services: Services, dead_letter: DeadLetter) -> dict[str, Any]:
    """Return the message of a dead letter. Raises `Problem` if it cannot be edited."""
    envelope = dead_letter.envelope
    try:
        if not envelope or len(envelope) > LARGEST_SHOWN:
            raise InvalidEnvelope(f"it has {len(envelope):,} bytes; 1 to {LARGEST_SHOWN:,} can be edited")
        message = services.codec.decode(envelope)
    except InvalidEnvelope as error:
        raise Problem(
            409,
            "Not editable",
            f"The payload cannot be edited: {error}.",
            "Enqueue the job again, then discard this.",
        ) from None
    if "d" not in message and has_key(dead_letter.job_id):
        # A producer that repeats its call asks for what it asked for at first, not for what was corrected.
        digest = stored_digest(message)
        return {"d": digest, **message} if digest is not None else message
    return message


def _encoded(services: Services, message: dict[str, Any]) -> tuple[bytes, list[str]]:
    """Return the envelope of a message, and what is wrong with it."""
    try:
        envelope = services.codec.encode(message)
    except TypeError:
        return b"", ["a number has more than 64 bits, or a text is half a surrogate pair: a job cannot have these"]
    if len(envelope) > LARGEST_SHOWN:
        return b"", [f"{len(envelope):,} bytes; the page stores at most {LARGEST_SHOWN:,}"]
    return envelope, []


def _correct(message: dict[str, Any], text: str) -> list[str]:
    """Put the arguments of a form into a message; returns what is wrong with them, without any value."""
    try:
        call = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return ["not valid JSON"]
    problem = _form_problem(call)
    if problem:
        return [problem]
    message |= {"a": call["args"], "k": call["kwargs"]}
    spec = JOBS.get(message["f"])
    if spec is None:
        return []
    if len(call["args"]) != 1 or call["kwargs"]:
        return [f'"args" of {message["f"]} has exactly one element, the payload, and "kwargs" none']
    try:
        parse(spec.payload, call["args"][0])
    except InvalidPayload as error:
        return [str(problem) for problem in error.problems]
    return []


def _form_problem(call: object) -> str:
    """Return why a value is not the arguments of a call; empty if it is."""
    if not isinstance(call, dict) or set(call) != {"args", "kwargs"}:
        return 'expected an object with "args" and "kwargs"'
    if not isinstance(call["args"], list) or not isinstance(call["kwargs"], dict):
        return 'expected "args" to be a list and "kwargs" an object'
    return ""


def _refuse(constant: str) -> NoReturn:
    """JSON has no NaN and no infinity; stored, they would become null."""
    raise ValueError(constant)


def _changed() -> Problem:
    return Problem(
        409, "Changed meanwhile", "Somebody edited, retried or discarded this dead letter.", "Open it again."
    )
