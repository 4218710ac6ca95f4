"""Stored hospitals: one by its identity, and those that a filter selects, page by page."""

import base64
import binascii
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from pydantic import AwareDatetime

from producers.gateway.access import Reader
from producers.gateway.answers import answer
from producers.gateway.problems import Problem, invalid_field
from producers.gateway.queries import only_known_names
from producers.gateway.services import SharedServices
from producers.gateway.shapes import HospitalShown, HospitalsShown
from worker.contract import HospitalType
from worker.contract.validation import parse
from worker.mongo.listing import find_hospital, list_hospitals
from worker.mongo.plain_json import public
from worker.mongo.reader import HospitalFilter

router = APIRouter(tags=["hospitals"], dependencies=[Depends(only_known_names)])

MOST_ON_A_PAGE = 500
Token = Annotated[
    str | None, Query(max_length=1_024, description="the token of an outcome: what is read has that write")
]
Text = Annotated[str | None, Query(max_length=1_000)]
# MongoDB takes no expression with this character.
Part = Annotated[
    str | None,
    Query(max_length=1_000, pattern="^[^\\x00]*$", description="a part of the name, in any case"),
]


def _filter(  # noqa: PLR0913  # a parameter for each field
    *,
    hospital_name: Text = None,
    name_contains: Part = None,
    hospital_type: HospitalType | None = None,
    status: Literal["partial", "registered"] | None = None,
    source: Text = None,
    country: Text = None,
    state: Text = None,
    city: Text = None,
    updated_since: AwareDatetime | None = None,
) -> HospitalFilter:
    """Return what these parameters select; those left out match any value."""
    given = {
        "hospital_name": hospital_name,
        "name_contains": name_contains,
        "hospital_type": hospital_type,
        "status": status,
        "source": source,
        "country": country,
        "state": state,
        "city": city,
        "updated_since": updated_since,
    }
    return parse(HospitalFilter, given)


@router.get("/v1/hospitals", response_model=HospitalsShown)
async def list_stored(
    services: SharedServices,
    _key: Reader,
    wanted: Annotated[HospitalFilter, Depends(_filter)],
    *,
    limit: Annotated[int, Query(ge=1, le=MOST_ON_A_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=10_000, description="`next` of the page before")] = None,
    token: Token = None,
) -> Response:
    """List hospitals in the order of their ids."""
    after = None if cursor is None else _id_in(cursor)
    # One more shows whether there are more.
    found = await services.all_of(
        list_hospitals(services.mongo, wanted, order="_id", limit=limit + 1, after=after, token=token)
    )
    more = len(found) > limit
    hospitals = [public(hospital) for hospital in found[:limit]]
    return answer({"hospitals": hospitals, "next": _cursor(hospitals[-1]["hospital_id"]) if more else None})


@router.get("/v1/hospitals/{hospital_id:path}", response_model=HospitalShown)
async def show(
    services: SharedServices,
    _key: Reader,
    hospital_id: Annotated[str, Path(max_length=6_000, examples=["hr:42"])],
    token: Token = None,
) -> Response:
    """Show the hospital of an identity, as an outcome has it in `hospital_id`."""
    found = await services.read_mongo(find_hospital(services.mongo, hospital_id, token=token))
    if found is None:
        raise Problem(404, "not-found", "No hospital has this identity.")
    return answer(public(found))


def _cursor(hospital_id: str) -> str:
    return base64.urlsafe_b64encode(hospital_id.encode()).decode().rstrip("=")


def _id_in(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise invalid_field("cursor", "not the `next` of a page") from None
