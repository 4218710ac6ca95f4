"""Hospitals: found by identity or by a part of the name, one of them with its fields and its audit history."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from worker.errors import PermanentError
from worker.mongo.audit.history import field_changes, find_hospital_id, read_history
from worker.mongo.client import Document
from worker.mongo.listing import find_hospital, list_hospitals
from worker.mongo.reader import HospitalFilter
from worker.monitoring.dashboard.access import LoggedIn, SharedServices
from worker.monitoring.dashboard.problems import Problem
from worker.monitoring.dashboard.rendering import render
from worker.monitoring.dashboard.services import Services

router = APIRouter()
_PAGE = 50
_MOST_ENTRIES = 100


@router.get("/hospitals")
async def search(
    request: Request,
    services: SharedServices,
    _session: LoggedIn,
    text: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """Show the hospital of an identity, or those whose names contain a text."""
    text = text.strip()
    if not text:
        return render(request, "hospitals.html", text="", rows=[], more=False)
    try:
        hospital_id = await services.read_mongo(find_hospital_id(services.mongo, text))
    except PermanentError:
        # Several hospitals have this name: they are listed.
        hospital_id = None
    if hospital_id is not None:
        return RedirectResponse(f"/hospital?{urlencode({'id': hospital_id})}", status_code=303)
    wanted = HospitalFilter(name_contains=text)
    found = await _some(
        services, list_hospitals(services.mongo, wanted, order="hospital_name", limit=_PAGE + 1), _PAGE + 1
    )
    rows = [_row(hospital) for hospital in found[:_PAGE]]
    return render(request, "hospitals.html", text=text, rows=rows, more=len(found) > _PAGE)


@router.get("/hospital")
async def show_hospital(
    request: Request,
    services: SharedServices,
    session: LoggedIn,
    hospital_id: Annotated[str, Query(alias="id", max_length=2_000)],
) -> Response:
    """Show the fields of a hospital, and who did what to it for those who may see that."""
    hospital = await services.read_mongo(find_hospital(services.mongo, hospital_id))
    entries: list[Document] = []
    if session.user.sees_payloads:
        entries = await _some(services, read_history(services.mongo, hospital_id), _MOST_ENTRIES + 1)
    if hospital is None and not entries:
        raise Problem(404, "No such hospital", "No hospital has this identity.", "Search for a part of its name.")
    return render(
        request,
        "hospital.html",
        hospital_id=hospital_id,
        fields={name: text_of(value) for name, value in (hospital or {}).items()},
        entries=[_entry(entry) for entry in entries[:_MOST_ENTRIES]],
        more=len(entries) > _MOST_ENTRIES,
    )


async def _some(services: Services, documents: AsyncGenerator[Document, None], count: int) -> list[Document]:
    """Return the first documents, at most `count`."""

    async def read() -> list[Document]:
        found: list[Document] = []
        async with aclosing(documents):
            async for document in documents:
                found.append(document)
                if len(found) == count:
                    break
        return found

    return await services.read_mongo(read())


def _row(hospital: Document) -> dict[str, str]:
    place = ", ".join(text_of(hospital[name]) for name in ("city", "state", "country") if name in hospital)
    name, status = text_of(hospital.get("hospital_name", "")), text_of(hospital.get("status", ""))
    return {"id": text_of(hospital["_id"]), "name": name, "place": place, "status": status}


def _entry(entry: Document) -> dict[str, Any]:
    """Return what is shown of an entry; another program may have changed it."""
    changes = field_changes(entry.get("before"), entry.get("after"))
    return {
        **{name: text_of(entry.get(name, "?")) for name in ("seq", "event", "actor", "reason", "at", "job_id")},
        "changes": [
            {"name": change.name, "before": values_of(change.before), "after": values_of(change.after)}
            for change in changes[:_PAGE]
        ],
    }


def values_of(values: list[Any]) -> str:
    """Return one value in one line, or that there is none."""
    return ", ".join(map(text_of, values)) or "nothing"


def text_of(value: Any) -> str:
    """Return a value of a document in one line."""
    match value:
        case str():
            return value
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return orjson.dumps(value, default=str).decode()
