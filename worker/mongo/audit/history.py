"""Reads the history of one hospital from the audit log."""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from worker.contract.identity import NAME_PREFIX, PLACE_PATTERN, normalise_name
from worker.errors import PermanentError
from worker.mongo.audit.tolerant_reads import majority
from worker.mongo.client import Document, MongoHandle
from worker.mongo.errors import translated

_MISSING = object()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that differs; a field within `attributes` is named `attributes.rating`.

    `before` and `after` hold one value, or none if the field is absent.
    """

    name: str
    before: list[Any]
    after: list[Any]


async def find_hospital_id(mongo: MongoHandle, given: str) -> str | None:
    """Return the `_id` for a given `_id` or hospital name; `None` if neither collection has it.

    The text is tried as an `_id` first, because a name may look like one. A name is enough for a hospital that is
    identified by name and place, if no other hospital has this name.

    Raises `PermanentError` if several hospitals have the name, and the errors of `worker.mongo.errors`.
    """
    name = normalise_name(given.removeprefix(f"{NAME_PREFIX}:"))
    with translated():
        for hospital_id in (given, f"{NAME_PREFIX}:{name}", f"{NAME_PREFIX}:{normalise_name(given)}"):
            if (
                await mongo.logs.find_one({"hospital_id": hospital_id}, ["_id"]) is not None
                or await mongo.hospitals.find_one({"_id": hospital_id}, ["_id"]) is not None
            ):
                return hospital_id
        found = await _identified_by_name(mongo, name)
    if len(found) > 1:
        raise PermanentError(f"more than one hospital has this name; give its identity, such as {found[0]!r}")
    return found[0] if found else None


async def _identified_by_name(mongo: MongoHandle, name: str) -> list[str]:
    """Return up to two identities that are made from this name and a place."""
    # Anchored and escaped, the expression is a range of the index.
    pattern = {"$regex": f"^{re.escape(f'{NAME_PREFIX}:{name}')}{PLACE_PATTERN}"}
    stored = await mongo.hospitals.find({"_id": pattern}, ["_id"]).limit(2).to_list(None)
    logged: list[str] = await mongo.logs.distinct("hospital_id", {"hospital_id": pattern})
    return sorted({hospital["_id"] for hospital in stored} | set(logged))[:2]


async def read_history(mongo: MongoHandle, hospital_id: str) -> AsyncGenerator[Document, None]:
    """Yield a hospital's log entries in the order of the chain, holding one batch in memory at a time.

    Raises the errors of `worker.mongo.errors`.
    """
    with translated():
        cursor = majority(mongo.logs).find({"hospital_id": hospital_id}, sort=[("seq", 1)])
        try:
            async for entry in cursor:
                yield entry
        finally:
            await cursor.close()


async def read_entries_around(mongo: MongoHandle, hospital_id: str, seq: int) -> dict[int, Document]:
    """Return the entry of this position in a hospital's chain and those beside it, by their positions.

    Raises the errors of `worker.mongo.errors`.
    """
    wanted = {"hospital_id": hospital_id, "seq": {"$in": [seq - 1, seq, seq + 1]}}
    with translated():
        return {entry["seq"]: entry async for entry in majority(mongo.logs).find(wanted)}


def field_changes(before: object, after: object) -> list[FieldChange]:
    """Return the fields of a hospital that differ, sorted by name; each attribute counts as a field.

    A value that is not a document has no fields; an entry that was tampered with may hold one.
    """
    old, new = _flat(before), _flat(after)
    changes = []
    for name in sorted({*old, *new}):
        was, became = old.get(name, _MISSING), new.get(name, _MISSING)
        # In Python True == 1 and 1 == 1.0.
        if was != became or type(was) is not type(became):
            changes.append(FieldChange(name, _given(was), _given(became)))
    return changes


def _given(value: object) -> list[Any]:
    return [] if value is _MISSING else [value]


def _flat(hospital: object) -> Document:
    if not isinstance(hospital, dict):
        return {}
    attributes = hospital.get("attributes")
    if not isinstance(attributes, dict):
        return hospital
    flat = {name: value for name, value in hospital.items() if name != "attributes"}
    return flat | {f"attributes.{name}": value for name, value in attributes.items()}
