"""Reads changes of a hospital that are given as text."""

from collections.abc import Mapping

from producers.registering import record_from_text
from worker.contract import HospitalChanges
from worker.contract.validation import parse
from worker.errors import InvalidPayload, PayloadProblem

# A record is read with a name, and changes may leave it as it is.
_ANY_NAME = "Hospital"
_READ_AS = {"latitude": "location", "longitude": "location"}


def changes_from_text(fields: Mapping[str, str]) -> HospitalChanges:
    """Return changes whose fields are given as text, which is read as a file's cells are; an empty text clears one.

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
