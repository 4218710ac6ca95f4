"""Records as mappings from field to value, as MongoDB stores them: the form of all rows of a file.

A field that is not known is absent, and `location` is a GeoJSON point. A mapping is made, sent and read in half the
time of a `HospitalRecord`.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, NotRequired

from pydantic import AfterValidator, ConfigDict, FailFast, TypeAdapter, ValidationError

# Pydantic takes the one of `typing` only from Python 3.12 on.
from typing_extensions import TypedDict

from worker.contract.fields import GeoPoint
from worker.contract.payloads import EXTERNAL_ID_NEEDS_SOURCE, HospitalRecord
from worker.contract.validation import invalid

Known = Mapping[str, Any]
"""The known fields of a record or of a stored hospital."""


def known_fields(record: HospitalRecord) -> dict[str, Any]:
    """Return the record's known fields, as stored; an empty `attributes` is left out."""
    known = {name: value for name, value in vars(record).items() if value is not None}
    if record.location is not None:
        known["location"] = _stored_point(record.location)
    if not record.attributes:
        known.pop("attributes", None)
    return known


def parse_known(raw: object, *, within: str = "") -> dict[str, Any]:
    """Validate `raw` (decoded JSON) as a `HospitalRecord` is, and return its known fields.

    Raises `InvalidPayload` as `worker.contract.validation.parse` does.
    """
    try:
        valid: dict[str, Any] = _one().validate_python(raw)
    except ValidationError as error:
        raise invalid(HospitalRecord.__name__, error, within) from None
    return valid


def parse_all_known(raw: Sequence[object]) -> list[dict[str, Any]] | None:
    """Return what `parse_known` returns for each, in less time; `None` if one of them is invalid."""
    try:
        return _all().validate_python(raw)
    except ValidationError:
        return None


def _stored_point(point: GeoPoint) -> dict[str, Any]:
    return {"type": "Point", "coordinates": list(point.coordinates)}


def _only_known(values: dict[str, Any]) -> dict[str, Any]:
    if None in values.values():
        values = {name: value for name, value in values.items() if value is not None}
    if "external_id" in values and "source" not in values:
        raise ValueError(EXTERNAL_ID_NEEDS_SOURCE)
    if not values.get("attributes", True):
        del values["attributes"]
    return values


def _record_type() -> Any:
    """Return a TypedDict with the fields of `HospitalRecord`."""
    fields: dict[str, Any] = {}
    for name, info in HospitalRecord.model_fields.items():
        field: Any = info.annotation
        for constraint in info.metadata:
            field = Annotated[field, constraint]
        if name == "location":
            field = Annotated[GeoPoint, AfterValidator(_stored_point)] | None
        fields[name] = field if info.is_required() else NotRequired[field]
    make: Any = TypedDict
    record = make("HospitalRecord", fields)
    record.__pydantic_config__ = ConfigDict(extra="forbid", strict=True)
    return Annotated[record, AfterValidator(_only_known)]


def _list_of(kind: Any) -> Any:
    return Annotated[list[kind], FailFast()]


@cache
def _one() -> Any:
    # Without the call through the adapter, because it runs for every row.
    return TypeAdapter(_record_type()).validator


@cache
def _all() -> TypeAdapter[list[dict[str, Any]]]:
    return TypeAdapter(_list_of(_record_type()))
