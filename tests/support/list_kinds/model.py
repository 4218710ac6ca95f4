"""What is right for one list of hospitals: every row, what is said about it, and the exit code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.contract import RecordStatus

COUNTS = "counts the rows; if it identifies hospitals"
"""Of the note on a column that counts a few rows."""
NUMBERS = "numbers the rows of this delivery"
"""Of the note on a column that counts the rows as they stand."""
ONLY_LOCAL = "has a different value in every row, but an identifier is used only together with its source"
"""Of the note on an identifier of a list without a source."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a list.

    `stored` is the document that the row makes in an empty registry, without what the registry adds to every
    document. Of a row that is not applied it is what the row says, under the identity it claims; it is empty if the
    row has no record. `left_out` are the cells that cannot be read, by field. `other_line` is that of the row that
    has the identity.
    """

    line: int
    stored: Mapping[str, Any]
    fate: RecordStatus = "created"
    left_out: Mapping[str, str] = field(default_factory=dict)
    other_line: int | None = None


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of list, and what an import of it does.

    `options` are those of `hospital-producer ingest`. `notes` has a phrase of each note that must be shown; there
    are no others. `refusal` has phrases of the message if the file is refused. `after` is a list that is imported
    before, into the same registry.
    """

    name: str
    file: str
    content: bytes
    options: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    columns_left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    refusal: tuple[str, ...] = ()
    code: int = 0
    after: "Kind | None" = None


def row(
    line: int,
    identity: str,
    hospital_name: str,
    /,
    *,
    fate: RecordStatus = "created",
    left_out: Mapping[str, str] | None = None,
    other_line: int | None = None,
    **fields: Any,
) -> Row:
    """Return a row that has a record: its line, identity, name, and other fields; None is not known."""
    known = {name: value for name, value in fields.items() if value is not None}
    stored = {"_id": identity, "hospital_name": hospital_name, **known}
    return Row(line=line, stored=stored, fate=fate, left_out=left_out or {}, other_line=other_line)


def point(latitude: float, longitude: float) -> dict[str, Any]:
    """Return a position as it is stored."""
    return {"type": "Point", "coordinates": [longitude, latitude]}
