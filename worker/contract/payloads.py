"""Records, changes and the payload of each job.

A payload is validated where it enters: in the producer's call, and in the worker's job, because anything else may
write to Redis as well. Code that is handed a model trusts it.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from worker.contract.deferred import Deferred
from worker.contract.fields import (
    Attributes,
    Beds,
    ExternalId,
    GeoPoint,
    HospitalId,
    ImportId,
    Instant,
    Line,
    Name,
    Reason,
    Revision,
    ShortText,
    Source,
)
from worker.contract.identity import hospital_identity, name_in_identity, normalise_name

MAX_CHUNK_RECORDS = 1_000
EXTERNAL_ID_NEEDS_SOURCE = "external_id needs a source"
"""Why a record with an identifier, but without a source, is refused."""

HospitalType = Literal["single", "multi"]
OnExisting = Literal["keep", "merge", "replace"]
"""What happens to a stored hospital that differs: nothing; the record's known fields are written into it; or the
record takes the place of its whole content. A registered hospital and one that was observed later always stay."""


class Payload(Deferred):
    """What all payloads have in common: no unknown fields, no conversions, no changes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class HospitalFields(Payload):
    """The facts that a source may know about a hospital, besides its name and identity. `None` means unknown."""

    hospital_type: HospitalType | None = None
    address: ShortText | None = None
    city: ShortText | None = None
    state: ShortText | None = None
    postal_code: ShortText | None = None
    county: ShortText | None = None
    country: ShortText | None = None
    phone: ShortText | None = None
    ownership: ShortText | None = None
    emergency_services: bool | None = None
    beds: Beds | None = None
    location: GeoPoint | None = None
    local_id: ExternalId | None = None
    attributes: Attributes | None = None


class HospitalRecord(HospitalFields):
    """One hospital as one feed describes it."""

    hospital_name: Name
    source: Source | None = None
    external_id: ExternalId | None = None
    observed_at: Instant | None = None

    @model_validator(mode="after")
    def _external_id_needs_source(self) -> Self:
        if self.external_id is not None and self.source is None:
            raise ValueError(EXTERNAL_ID_NEEDS_SOURCE)
        return self

    @property
    def hospital_id(self) -> str:
        """The hospital's identity, the `_id` of its document."""
        return hospital_identity(vars(self))


class HospitalChanges(HospitalFields):
    """New values for some fields. A field given as `null` is cleared; a field left out stays as it is."""

    hospital_name: Name | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("contains no field to change")
        for required in ("hospital_name", "hospital_type"):
            if required in self.model_fields_set and getattr(self, required) is None:
                raise ValueError(f"{required} cannot be cleared")
        return self


class _ChangesOfHospital(Payload):
    hospital_id: HospitalId
    changes: HospitalChanges

    @model_validator(mode="after")
    def _keeps_identity(self) -> Self:
        # The place in such an identity is that of the creation: a hospital may move, a wrong place be corrected.
        name, identified_by = self.changes.hospital_name, name_in_identity(self.hospital_id)
        if name is not None and identified_by is not None and normalise_name(name) != identified_by:
            raise ValueError("changes.hospital_name would change the identity of a hospital identified by name")
        return self


class _AuditedOperation(Payload):
    actor: ShortText
    reason: Reason


class LeftOutCell(Payload):
    """An optional cell of a row that could not be read, and was left out: field, column, content and reason."""

    field: Annotated[str, Field(max_length=200)]
    column: Annotated[str, Field(max_length=500)]
    value: Annotated[str, Field(max_length=200)]
    reason: Annotated[str, Field(max_length=500)]


def unread_fields(names: Iterable[str]) -> frozenset[str]:
    """Return the fields of a record, or `attributes.NAME`, that cells with these field names are read into."""
    return frozenset("location" if name in ("latitude", "longitude") else name for name in names)


class UnreadRow(Payload):
    """What could not be read of a row: the reasons why it has no record, or the cells that were left out of it."""

    line: Line
    reasons: Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=100)] = []
    left_out: Annotated[list[LeftOutCell], Field(max_length=100)] = []

    @property
    def unread_fields(self) -> frozenset[str]:
        """The fields of the record that were left out of it."""
        return unread_fields(cell.field for cell in self.left_out)


class IngestHospital(Payload):
    """Ingest one record from a feed."""

    record: HospitalRecord
    on_existing: OnExisting = "keep"


class IngestHospitals(Payload):
    """Ingest up to 1,000 records of a file.

    The worker validates each record separately, so an invalid record does not stop the others.

    `import_id` is the import that the records belong to; without it each chunk is an import of its own. `lines` has
    the line of each record in the imported file. An import needs them, because a row is known by its line. `chunk`
    is the number of the chunk in its import, from 0, and `unread` what the reader of the file could not read of its
    rows: both are for the import's report. `collided`: the records were in collision with others in an earlier
    import, and are again if they still contradict the hospital that is stored.
    """

    records: Annotated[list[Any], Field(max_length=MAX_CHUNK_RECORDS)]
    on_existing: OnExisting = "keep"
    import_id: ImportId | None = None
    lines: list[Line] | None = None
    chunk: Annotated[int, Field(ge=0)] | None = None
    collided: bool = False
    unread: Annotated[list[UnreadRow], Field(max_length=MAX_CHUNK_RECORDS)] = []

    @model_validator(mode="after")
    def _has_one_line_for_each_record(self) -> Self:
        if not self.records and not self.unread:
            raise ValueError("records must not be empty")
        if self.lines is None:
            if self.import_id is not None:
                raise ValueError("import_id needs lines")
        elif len(self.lines) != len(self.records):
            raise ValueError("lines must have as many entries as records")
        elif len(set(self.lines)) != len(self.lines):
            raise ValueError("lines must differ")
        if (self.unread or self.chunk is not None) and self.import_id is None:
            raise ValueError("chunk and unread need an import_id")
        return self


class CorrectHospital(_ChangesOfHospital):
    """Change a partial hospital, if it still has the revision that the caller saw."""

    revision: Revision


class DiscardHospital(Payload):
    """Remove a partial hospital, if it still has the revision that the caller saw."""

    hospital_id: HospitalId
    revision: Revision


class RegisterHospital(_AuditedOperation):
    """Register a hospital: insert it, or promote the partial hospital with the same identity."""

    record: HospitalRecord


class AmendHospital(_ChangesOfHospital, _AuditedOperation):
    """Change a registered hospital. If `revision` is given, the hospital must still have that revision."""

    revision: Revision | None = None


class WithdrawHospital(_AuditedOperation):
    """Remove a registered hospital. If `revision` is given, the hospital must still have that revision."""

    hospital_id: HospitalId
    revision: Revision | None = None
