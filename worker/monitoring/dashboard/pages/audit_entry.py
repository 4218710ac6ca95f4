"""One entry of a hospital's audit history, for those who may see it, checked against the entry before."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from worker.mongo.audit.chain import check_entry
from worker.mongo.audit.history import field_changes, read_entries_around
from worker.mongo.client import Document
from worker.monitoring.dashboard.access import LoggedIn, SharedServices
from worker.monitoring.dashboard.pages.hospitals import text_of, values_of
from worker.monitoring.dashboard.problems import Problem
from worker.monitoring.dashboard.rendering import render

router = APIRouter()
# MongoDB's integers have 64 bits.
_MOST_SEQ = 2**62
_FIELDS = ("event", "actor", "reason", "at", "job_id", "prev_hash", "hash")


@router.get("/hospital/entry")
async def show_entry(
    request: Request,
    services: SharedServices,
    session: LoggedIn,
    hospital_id: Annotated[str, Query(alias="id", max_length=2_000)],
    seq: Annotated[int, Query(ge=1, le=_MOST_SEQ)] = 1,
) -> Response:
    """Show an entry with what it changed, and whether its hash is right."""
    if not session.user.sees_payloads:
        raise Problem(
            403,
            "Refused",
            "Your role is viewer: operators and auditors see who did what to a hospital.",
            "Ask the administrator for the role auditor (DASHBOARD_USERS).",
        )
    entries = await services.read_mongo(read_entries_around(services.mongo, hospital_id, seq))
    entry, previous = entries.get(seq), entries.get(seq - 1)
    if entry is None:
        raise Problem(404, "No such entry", "The hospital has no such entry.", "Open the hospital's page.")
    return render(
        request,
        "audit_entry.html",
        hospital_id=hospital_id,
        seq=seq,
        entry={name: "none" if entry.get(name) is None else text_of(entry[name]) for name in _FIELDS},
        changes=[
            {"name": change.name, "before": values_of(change.before), "after": values_of(change.after)}
            for change in field_changes(entry.get("before"), entry.get("after"))
        ],
        after=_state(entry.get("after")),
        problem=_problem(entry, seq, previous),
        has_next=seq + 1 in entries,
    )


def _problem(entry: Document, seq: int, previous: Document | None) -> str:
    """Return what is wrong with an entry, empty if nothing is."""
    if seq > 1 and previous is None:
        return f"the entry before it, {seq - 1:,}, is missing"
    finding = check_entry(entry, previous)
    return finding.detail if finding else ""


def _state(hospital: object) -> str:
    """Return the hospital as an entry has it, as JSON with line breaks; empty if it was removed."""
    return "" if hospital is None else orjson.dumps(hospital, default=str, option=orjson.OPT_INDENT_2).decode()
