"""Stored documents as JSON: the names that outcomes use, instants in UTC, foreign types of MongoDB as text."""

from datetime import UTC, datetime
from typing import Any

from bson.datetime_ms import DatetimeMS

from worker.mongo.client import Document


def public(hospital: Document) -> Document:
    """Return a stored hospital under the names that outcomes use: `hospital_id` for `_id`."""
    return {"hospital_id": hospital["_id"], **{name: hospital[name] for name in hospital if name != "_id"}}


def shown_instant(instant: datetime) -> str:
    """Return an instant as text in UTC, in whole milliseconds."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(value: Any) -> Any:
    """Return a value that JSON has no form for as one that it has: the `default` of a JSON encoder."""
    if hasattr(value, "isoformat"):
        return shown_instant(value)
    # An instant beyond Python's range.
    return int(value) if isinstance(value, DatetimeMS) else str(value)
