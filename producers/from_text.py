"""Reads a record, or changes of a hospital, whose fields are given as text: as the cells of a file are read."""

from collections.abc import Mapping

from producers.files.columns import Mapped
from producers.files.table import RawRow
from producers.files.values import RowReader, ValueWishes, choose_readers
from worker.contract import HospitalChanges, HospitalRecord
from worker.contract.validation import parse
from worker.errors import InvalidPayload, PayloadProblem

# A record is read with a name, and changes may leave it as it is.
_ANY_NAME = "Hospital"
_READ_AS = {"latitude": "location", "longitude": "location"}


def record_from_text(fields: Mapping[str, str]) -> HospitalRecord:
    """Return the record of these fields. Raises `InvalidPayload`."""
    mapped = [Mapped(name, (name,), "given") for name in fields]
    reader = RowReader(mapped, choose_readers(mapped, {}, ValueWishes()), strict=True)
    row = reader.read(RawRow(1, fields))
    if row.known is None:
        reasons = [reason.partition(": ") for reason in row.reasons]
        raise InvalidPayload(HospitalRecord.__name__, [PayloadProblem(it[0], it[2]) for it in reasons])
    halves = [] if "location" in row.known else [it for it in ("latitude", "longitude") if fields.get(it)]
    if halves:
        problems = [PayloadProblem(it, "give latitude and longitude") for it in halves]
        raise InvalidPayload(HospitalRecord.__name__, problems)
    return HospitalRecord.model_validate(row.known)


def changes_from_text(fields: Mapping[str, str]) -> HospitalChanges:
    """Return the changes to these fields; an empty text clears a field.

    Raises `InvalidPayload`, also for a text that a file's cell has where a value is missing, such as `-`.
    """
    given = {field: text for field, text in fields.items() if text}
    record = record_from_text({"hospital_name": _ANY_NAME, **given})
    known = record.model_dump(exclude_none=True)
    problems = [PayloadProblem(field, _why(field)) for field in given if _READ_AS.get(field, field) not in known]
    if problems:
        raise InvalidPayload(HospitalChanges.__name__, problems)
    if "hospital_name" not in given:
        del known["hospital_name"]
    return parse(HospitalChanges, known | {field: None for field in fields if field not in given})


def _why(field: str) -> str:
    """Return why a field that was given is not in the record."""
    if field.startswith("attributes."):
        return "attributes are replaced together: give attributes={…} with all of them"
    return f"is read as a missing value; to clear it: {field}="
