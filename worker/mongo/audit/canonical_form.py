"""The canonical form of an audit log entry: the text that is hashed.

`worker.mongo.audit.log` and docs/audit.md describe it.
"""

import json
from datetime import UTC, datetime, timedelta

from bson.datetime_ms import DatetimeMS

from worker.mongo.client import Document

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def canonical(content: Document) -> str:
    """Return the canonical form of `content`. Raises `TypeError` or `ValueError` for a value that has none."""
    return _ENCODER.encode(content)


def _instant(value: object) -> dict[str, int]:
    match value:
        case datetime():
            return {"$date": (value - _EPOCH) // _MILLISECOND}
        case DatetimeMS():
            # The driver decodes an instant as this type if `datetime` cannot represent it.
            return {"$date": int(value)}
    raise TypeError(f"{type(value).__name__} has no canonical form")


# A decoded BSON document has no cycles, so the check for them is off.
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False, default=_instant
)
