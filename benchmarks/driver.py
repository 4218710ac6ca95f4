"""Bare loops over the driver, for comparison: `python -m benchmarks.driver OPERATION COUNT` prints a rate.

The client is the product's, with its options and pool. The documents are created before the clock starts.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvloop
from pymongo import ReadPreference, ReturnDocument
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from benchmarks.bench import CONCURRENCY
from benchmarks.harness import Stopwatch
from benchmarks.jobs import hospital
from producers.files import HospitalFile
from producers.imports import new_import_id
from worker.contract import INGEST_HOSPITALS, MAX_CHUNK_RECORDS, HospitalRecord, new_job_id
from worker.contract.identity import hospital_identity
from worker.contract.known import Known, known_fields
from worker.mongo.audit.log import AuditedAct, append_entry, entry_hash, log_id
from worker.mongo.client import Collection, Document, MongoHandle, Session, open_mongo, settled
from worker.mongo.documents import import_row, new_hospital, now
from worker.mongo.hospitals import CLASSIFYING_FIELDS
from worker.settings import load_settings


@dataclass(frozen=True, slots=True)
class _Target:
    """The client and its collections, created once, as a bare loop would do."""

    mongo: MongoHandle
    hospitals: Collection
    logs: Collection


Operation = Callable[[_Target, Document], Awaitable[object]]


async def _upsert(target: _Target, document: Document) -> None:
    hospital_id = document.pop("_id")
    await target.hospitals.find_one_and_update(
        {"_id": hospital_id},
        {"$setOnInsert": document},
        upsert=True,
        return_document=ReturnDocument.AFTER,
        projection=CLASSIFYING_FIELDS,
    )


async def _insert_both(target: _Target, document: Document) -> None:
    """Two inserts and a commit: the minimum for an audited registration."""
    entry = _entry(document)

    async def body(session: Session) -> None:
        await target.hospitals.insert_one(document, session=session)
        await target.logs.insert_one(entry, session=session)

    await _in_transaction(target.mongo, body)


async def _read_and_insert_both(target: _Target, document: Document) -> None:
    """The transaction of a registration: read the hospital and the chain's last entry, then do both inserts."""
    act = AuditedAct(document["_id"], "registered", "bench", "measured", document["created_by_job"])

    async def body(session: Session) -> None:
        await target.hospitals.find_one({"_id": act.hospital_id}, session=session)
        await target.hospitals.insert_one(document, session=session)
        await append_entry(target.mongo, act, before=None, after=document, session=session)

    await _in_transaction(target.mongo, body)


async def _in_transaction(mongo: MongoHandle, body: Callable[[Session], Awaitable[None]]) -> None:
    session = await settled(mongo.client.start_session(causal_consistency=True))
    try:
        started: object = session.start_transaction(
            read_concern=ReadConcern("snapshot"),
            write_concern=WriteConcern(w="majority", j=True),
            read_preference=ReadPreference.PRIMARY,
        )
        await settled(started)
        await body(session)
        await session.commit_transaction()
    finally:
        await session.end_session()


_OPERATIONS: dict[str, Operation] = {
    "upsert": _upsert,
    "insert_both": _insert_both,
    "read_and_insert_both": _read_and_insert_both,
}


def _documents(records: Iterator[HospitalRecord], status: str) -> list[Document]:
    return [
        new_hospital(record.hospital_id, known_fields(record), status=status, job_id=f"bare:{number}", at=now())
        for number, record in enumerate(records)
    ]


def _entry(document: Document) -> Document:
    entry: Document = {
        "_id": log_id(document["created_by_job"]),
        "hospital_id": document["_id"],
        "seq": 1,
        "event": "registered",
        "actor": "bench",
        "reason": "measured",
        "before": None,
        "after": document,
        "at": document["created_at"],
        "job_id": document["created_by_job"],
        "prev_hash": None,
    }
    entry["hash"] = entry_hash(entry)
    return entry


async def _loop(target: _Target, operation: Operation, documents: list[Document]) -> float:
    remaining = iter(documents)
    stopwatch = Stopwatch(len(documents))
    done = 0
    rate = 0.0

    async def runner() -> None:
        nonlocal done, rate
        for document in remaining:
            await operation(target, document)
            done += 1
            rate = stopwatch.observe(time.perf_counter(), done) or rate

    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(runner())
    return rate


def _imported_documents(path: Path) -> list[Document]:
    """Return the documents that an import of the file stores: of each hospital the first row."""
    import_id = new_import_id(path.name)
    rows: dict[str, tuple[int, int, Known]] = {}
    for number, row in enumerate(HospitalFile.open(path).rows()):
        if row.known is not None:
            rows.setdefault(hospital_identity(row.known), (number // MAX_CHUNK_RECORDS, row.line, row.known))
    return [
        new_hospital(
            hospital_id,
            known,
            status="partial",
            job_id=new_job_id(INGEST_HOSPITALS, f"{import_id}:{chunk}"),
            at=now(),
            row=import_row(import_id, line),
        )
        for hospital_id, (chunk, line, known) in rows.items()
    ]


async def _insert_file(hospitals: Collection, path: Path) -> float:
    """Insert a file's hospitals with consecutive calls of insert_many, each of as many documents as a chunk has."""
    documents = _imported_documents(path)
    started = time.perf_counter()
    for first in range(0, len(documents), MAX_CHUNK_RECORDS):
        await hospitals.insert_many(documents[first : first + MAX_CHUNK_RECORDS], ordered=False)
    return len(documents) / (time.perf_counter() - started)


async def _measure(operation: str, argument: str) -> float:
    mongo = open_mongo(load_settings())
    try:
        if operation == "insert_file":
            return await _insert_file(mongo.hospitals, Path(argument))
        status = "partial" if operation == "upsert" else "registered"
        records = (HospitalRecord.model_validate(hospital(number, 0)) for number in range(int(argument)))
        target = _Target(mongo, mongo.hospitals, mongo.logs)
        return await _loop(target, _OPERATIONS[operation], _documents(records, status))
    finally:
        await mongo.close()


if __name__ == "__main__":
    print(uvloop.run(_measure(sys.argv[1], sys.argv[2])))  # noqa: T201 (the result for the parent process)
