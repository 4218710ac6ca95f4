"""The collections `imports` (one document for each loaded file) and `import_reports` (what became of its rows)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from pymongo import DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from worker.contract.imports import (
    CloseImportOutcome,
    Import,
    ImportReportOutcome,
    ImportsOutcome,
    ImportState,
    OpenImport,
    OpenImportOutcome,
    ReportEntry,
)
from worker.contract.outcomes import ChunkOutcome, NotApplied
from worker.contract.payloads import IngestHospitals
from worker.errors import ConflictError
from worker.mongo.claims import release_claims
from worker.mongo.client import Document, MongoHandle
from worker.mongo.documents import now
from worker.mongo.errors import translated

IMPORTS = "imports"
IMPORT_REPORTS = "import_reports"
# As long as the batch of the import can be read.
_REPORT_KEPT = timedelta(days=30)
# Two imports of one file that begin at the same instant settle this in one more try.
_OPEN_TRIES = 5
# Entries in one answer: with their longest texts about 2 MB.
_ENTRIES_PER_ANSWER = 2_000
_AFTER_ALL_CHUNKS = 2**62


async def open_import(mongo: MongoHandle, request: OpenImport) -> OpenImportOutcome:
    """Insert the document of a new import, or return the running one of the same file and options.

    Raises `ConflictError` if other jobs keep beginning and ending imports of the file, and the errors of
    `worker.mongo.errors`.
    """
    new: Document = {
        "_id": request.import_id,
        "state": "running",
        **request.model_dump(mode="python", exclude={"import_id"}, exclude_none=True),
        "started_at": now(),
    }
    running = {"fingerprint": request.fingerprint, "state": "running"}
    imports = mongo.database[IMPORTS]
    with translated():
        for _ in range(_OPEN_TRIES):
            earlier = await imports.find_one({"_id": request.import_id})
            if earlier is not None:
                # This job was delivered before.
                return _opened(mongo, request, earlier)
            try:
                found = await imports.find_one_and_update(
                    running,
                    {"$setOnInsert": {name: value for name, value in new.items() if name not in running}},
                    upsert=True,
                    return_document=ReturnDocument.AFTER,
                )
            except DuplicateKeyError:
                continue
            if found is not None:
                return _opened(mongo, request, found)
    raise ConflictError("other jobs kept beginning and ending imports of the same file")


def _opened(mongo: MongoHandle, request: OpenImport, found: Document) -> OpenImportOutcome:
    return OpenImportOutcome(
        status="opened" if found["_id"] == request.import_id else "resumed",
        found=_import(found),
        token=mongo.latest_token(),
    )


async def close_import(
    mongo: MongoHandle, import_id: str, state: ImportState, counts: Mapping[str, int], *, may_go_on: bool
) -> CloseImportOutcome:
    """Note how an import ended. `may_go_on`: a job of it is a dead letter, which may be retried.

    Raises the errors of `worker.mongo.errors`.
    """
    ended = {"state": state, "counts": dict(counts), "ended_at": now()}
    with translated():
        imports = mongo.database[IMPORTS]
        await imports.update_one({"_id": import_id, "state": "running"}, {"$set": ended})
        found = await imports.find_one({"_id": import_id})
        if not may_go_on:
            await release_claims(mongo, import_id)
    if found is None:
        return CloseImportOutcome(status="not_found", token=mongo.latest_token())
    return CloseImportOutcome(status="closed", found=_import(found), token=mongo.latest_token())


async def find_imports(mongo: MongoHandle, import_id: str | None, limit: int) -> ImportsOutcome:
    """Return one import with its profile, or the latest ones without.

    Raises the errors of `worker.mongo.errors`.
    """
    imports = mongo.database[IMPORTS]
    with translated():
        if import_id is not None:
            found = await imports.find({"_id": import_id}).to_list(None)
        else:
            latest = imports.find({}, projection={"profile": False}).sort("started_at", DESCENDING).limit(limit)
            found = await latest.to_list(None)
    return ImportsOutcome(found=[_import(document) for document in found], token=mongo.latest_token())


async def same_imports(mongo: MongoHandle, import_id: str, others: Collection[str]) -> frozenset[str]:
    """Return those of other imports that were of the same file, read alike, so that they have the same rows.

    Raises the errors of `worker.mongo.errors`.
    """
    if not others:
        return frozenset()
    imports = mongo.database[IMPORTS]
    with translated():
        own = await imports.find_one({"_id": import_id}, projection={"file.sha256": True, "profile": True})
        if own is None:
            return frozenset()
        same = {"file.sha256": own["file"]["sha256"], "profile": own["profile"]}
        found = await imports.find({"_id": {"$in": list(others)}, **same}, projection={"_id": True}).to_list(None)
    return frozenset(document["_id"] for document in found)


def _import(document: Document) -> Import:
    return Import(import_id=document["_id"], **{name: value for name, value in document.items() if name != "_id"})


async def write_report(mongo: MongoHandle, request: IngestHospitals, outcome: ChunkOutcome) -> None:
    """Keep what a chunk of an import has to report. A redelivered chunk writes the same once more.

    Raises the errors of `worker.mongo.errors`.
    """
    if request.chunk is None:
        # A chunk outside an import has no lines to report by.
        return
    entries = _entries(request, outcome)
    if not entries:
        return
    key = {"import": request.import_id, "chunk": request.chunk}
    document: Document = {
        "entries": [entry.model_dump(exclude_defaults=True) for entry in entries],
        "shortened": outcome.shortened,
        "expires_at": now() + _REPORT_KEPT,
    }
    with translated():
        await mongo.database[IMPORT_REPORTS].replace_one({"_id": key}, document, upsert=True)


def _entries(request: IngestHospitals, outcome: ChunkOutcome) -> list[ReportEntry]:
    """Return the entries of a chunk, in the order of its lines."""
    lines: Sequence[int] = request.lines or ()
    unread = {row.line: row for row in request.unread}
    details: dict[int, NotApplied] = {each.index: each for each in outcome.not_applied}
    reasons = {each.index: each.problems for each in outcome.rejections}
    entries = [
        ReportEntry(line=row.line, status="rejected", reasons=row.reasons, left_out=row.left_out)
        for row in request.unread
        if row.reasons
    ]
    for index, (line, status) in enumerate(zip(lines, outcome.statuses, strict=True)):
        row, detail = unread.get(line), details.get(index)
        if row is None and status in ("created", "merged", "replaced", "same"):
            continue
        entries.append(
            ReportEntry(
                line=line,
                status=status,
                hospital_id=detail.hospital_id if detail else None,
                other_line=detail.other_line if detail else None,
                reasons=list(reasons.get(index, ())),
                differences=detail.differences if detail else [],
                left_out=row.left_out if row else [],
            )
        )
    return sorted(entries, key=lambda entry: entry.line)


async def read_report(mongo: MongoHandle, import_id: str, first_chunk: int) -> ImportReportOutcome:
    """Return the entries of an import from a chunk on, at least those of one chunk.

    Raises the errors of `worker.mongo.errors`.
    """
    entries: list[ReportEntry] = []
    shortened = False
    next_chunk: int | None = None
    first, end = ({"import": import_id, "chunk": chunk} for chunk in (first_chunk, _AFTER_ALL_CHUNKS))
    with translated():
        async for document in mongo.database[IMPORT_REPORTS].find({"_id": {"$gte": first, "$lt": end}}).sort("_id"):
            if entries and len(entries) + len(document["entries"]) > _ENTRIES_PER_ANSWER:
                next_chunk = int(document["_id"]["chunk"])
                break
            entries += [ReportEntry.model_validate(entry) for entry in document["entries"]]
            shortened |= bool(document["shortened"])
    return ImportReportOutcome(
        entries=entries, next_chunk=next_chunk, shortened=shortened, token=mongo.latest_token()
    )
