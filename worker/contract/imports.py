"""Imports: the jobs that begin and end the import of a file and read what became of it.

An import is one batch of chunk jobs (`IngestHospitals`) and one document in `imports`. The batch counts the rows;
the document says what was imported, from where and how, and has the counts once the import has ended.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field

from worker.contract.deferred import Deferred
from worker.contract.fields import INT64_MAX, ImportId, ShortText, Source
from worker.contract.outcomes import Difference, Outcome, RecordStatus
from worker.contract.payloads import LeftOutCell, OnExisting, Payload

ImportState = Literal["running", "finished", "cancelled"]
MOST_IMPORTS_LISTED = 100
LEFT_OUT = "left_out_"
"""How the counters of an import begin that have the cells left out of rows, by field."""

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=0, le=INT64_MAX)]


class ImportedFile(Payload):
    """The file of an import: its name as it was given, its size and the SHA-256 of its bytes, and its rows."""

    name: Annotated[str, Field(min_length=1, max_length=1_000)]
    bytes: _Count
    sha256: _Digest
    rows: _Count


class OpenImport(Payload):
    """Begin an import, or find the one of the same file and options that has not ended.

    `fingerprint` is a digest of everything that decides what the import does: the file and how it is read.
    `profile` has the decisions on how it is read, as text. `started_by` is the person who imports.
    """

    import_id: ImportId
    fingerprint: _Digest
    file: ImportedFile
    on_existing: OnExisting
    source: Source | None = None
    strict: bool = False
    profile: Annotated[str, Field(max_length=1_000_000)]
    started_by: ShortText


class CloseImport(Payload):
    """Note the end of an import: the completion job of its batch."""

    import_id: ImportId


class FindImports(Payload):
    """Find an import by its id, or the latest ones."""

    import_id: ImportId | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_IMPORTS_LISTED)] = 20


class ReadImportReport(Payload):
    """Read what an import reports on its rows, from a chunk on."""

    import_id: ImportId
    first_chunk: _Count = 0


class PreviewHospitals(Payload):
    """Say what an ingest of these records would do, without doing it.

    `unread` has the fields of each record that could not be read, or is empty if everything could.
    """

    records: Annotated[list[object], Field(min_length=1, max_length=1_000)]
    on_existing: OnExisting = "keep"
    unread: Annotated[list[list[str]], Field(max_length=1_000)] = Field(default_factory=list)


class Import(Deferred):
    """One import. `counts` has the rows by status, and further counts, once it has ended.

    `profile` is empty in a list of several.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    import_id: str
    state: ImportState
    file: ImportedFile
    on_existing: OnExisting
    source: str | None = None
    strict: bool = False
    started_by: str
    started_at: datetime
    ended_at: datetime | None = None
    counts: Mapping[str, int] = {}
    profile: str = ""


class OpenImportOutcome(Outcome):
    """`opened`: the import is new. `resumed`: it is the one of the same file and options that has not ended."""

    status: Literal["opened", "resumed"]
    found: Import


class CloseImportOutcome(Outcome):
    """The import as it ended; `not_found` if its document was removed."""

    status: Literal["closed", "not_found"]
    found: Import | None = None


class ImportsOutcome(Outcome):
    """The imports that were found, the latest first."""

    found: list[Import]


class ReportEntry(Deferred):
    """What became of one row that is not simply as it was asked for.

    `status` is that of the row. `reasons` say why it is rejected, in collision or in conflict; `differences` what
    differs from what is stored, or after a collision from the row in `other_line`; `left_out` are its cells that
    could not be read.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    line: int
    status: RecordStatus
    hospital_id: str | None = None
    other_line: int | None = None
    reasons: list[str] = []
    differences: list[Difference] = []
    left_out: list[LeftOutCell] = []


class ImportReportOutcome(Outcome):
    """Entries in the order of chunks, and within a chunk of lines.

    `next_chunk` is where to read on, `None` at the end. `shortened`: a chunk had more to report than is kept, so
    some entries have no differences.
    """

    entries: list[ReportEntry]
    next_chunk: int | None = None
    shortened: bool = False


class StoredElsewhere(Deferred):
    """A record whose identity is not stored, but whose hospital seems to be: under the `_id` `hospital_id`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    index: int
    hospital_id: str


class PreviewOutcome(Outcome):
    """What would become of the records, in their order, if they were ingested one after the other now.

    `stored` is how many have a stored hospital of their identity. `stored_elsewhere` are those of the others whose
    source, name and place are of a hospital that is stored under another identity: see `worker.contract.likeness`.
    `renamed` is how many would change a stored hospital of their identifier that has another name. `moved` is how
    many would change one so that it has the name and place of another stored hospital, whose identifier differs.
    """

    statuses: list[RecordStatus]
    stored: int = 0
    stored_elsewhere: Sequence[StoredElsewhere] = ()
    renamed: int = 0
    moved: int = 0


def rows_by_status(counts: Mapping[str, int]) -> dict[RecordStatus, int]:
    """Return the rows of an import by what became of them, every status once, from its counters."""
    return {status: counts.get(status, 0) for status in get_args(RecordStatus)}


def cells_left_out(counts: Mapping[str, int]) -> dict[str, int]:
    """Return how many cells of an import could not be read, by field, from its counters."""
    return {name.removeprefix(LEFT_OUT): count for name, count in counts.items() if name.startswith(LEFT_OUT)}
