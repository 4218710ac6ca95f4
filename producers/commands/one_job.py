"""Enqueues one job for one hospital, and shows its outcome."""

import secrets
from typing import Annotated, TypeVar

import typer
from pydantic import BaseModel

from producers import ctrl_c
from producers.commands import support
from producers.commands.support import DONE, INTERRUPTED, NOTHING, PARTLY, show
from producers.console import print_error, print_note
from worker.contract import JobSpec, new_job_id
from worker.errors import OutageError, RegistryError, RemoteError, WritesRefused

P = TypeVar("P", bound=BaseModel)

ActorOption = Annotated[str, typer.Option(help="who does it, for the audit log")]
ReasonOption = Annotated[str, typer.Option(help="why, for the audit log")]
KeyOption = Annotated[
    str | None,
    typer.Option("--idempotency-key", help="calls with the same key are one operation; default: a new one"),
]

_ADVICE = {
    "already_registered": "the hospital is registered already; to change it: hospital-producer amend",
    "registered": "the hospital is registered: hospital-producer amend, or withdraw",
    "not_registered": "the hospital is not registered: hospital-producer correct, or discard",
    "revision": "the hospital has changed since that revision; to see it: hospital-worker registry get",
}


def run_one(
    spec: JobSpec[P, BaseModel], payload: P, title: str, *, done: str, key: str | None, wait: float, as_json: bool
) -> int:
    """Enqueue the job, show its outcome under `title`, and return the exit code: 0 if its status is `done`.

    Calls with the same `key` are one job. Raises `InvalidPayload` for an invalid key.
    """
    # Made here, so that every message below can contain the job's id.
    key = secrets.token_urlsafe(12) if key is None else key
    job_id = new_job_id(spec, key)
    try:
        outcome = ctrl_c.run(_ask(spec, payload, key, wait))
    except KeyboardInterrupt:
        print_error(f"interrupted; the queue may have taken the job: hospital-producer status {job_id}")
        return INTERRUPTED
    except RemoteError as error:
        print_error(f"{job_id} failed: {error}")
        return NOTHING
    if isinstance(outcome, str):
        print_error(f"{outcome}: hospital-producer status {job_id}")
        return PARTLY
    facts = {"job_id": job_id} | outcome.model_dump(mode="json", exclude_none=True, exclude={"token"})
    show(title, facts, as_json=as_json)
    if (reason := facts.get("reason")) in _ADVICE:
        print_note(_ADVICE[reason])
    return DONE if facts["status"] == done else PARTLY


async def _ask(spec: JobSpec[P, BaseModel], payload: P, key: str, wait: float) -> BaseModel | str:
    """Return the job's outcome, or why it is not known although the queue may have the job."""
    async with support.connect() as producer:
        try:
            receipt = await producer.enqueue(spec, payload, idempotency_key=key)
            if receipt.state != "new":
                print_note(f"{receipt.job_id} was enqueued before under the same key; nothing was enqueued now")
        except WritesRefused:
            raise
        except OutageError as error:
            return f"{error}; the queue may have taken the job"
        try:
            return await receipt.outcome(wait)
        except RemoteError:
            raise
        except TimeoutError:
            return f"no outcome within {wait:g} s; the queue has taken the job"
        except RegistryError as error:
            return f"{error}; the queue has taken the job"
