"""Verifies the audit log: every chain must be intact, and every registered hospital must match its last
accepted entry.

Everything is read in one pass, in the order of the index on (hospital_id, seq), while workers write. Within a chain
that is safe: an entry is written after its predecessor, so no read returns it without the predecessor. Between a
chain and its hospital it is not safe: one may be read before an act and the other after it. If a hospital looks
wrong, its chain and document are therefore read again as of one instant, and reported only if still wrong.
"""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pymongo.asynchronous.cursor import AsyncCursor

from worker.mongo.audit.chain import Chain, Finding, Head, Reference, malformed
from worker.mongo.audit.references import ReferenceStream
from worker.mongo.audit.tolerant_reads import lenient, majority
from worker.mongo.client import Document, MongoHandle, settled
from worker.mongo.errors import translated

# Without a batch size a server sends batches of up to 16 MB, which take about 100 MB as Python objects.
_BATCH = 1_000
_PROGRESS_ENTRIES = 1_000
_IN_ORDER = [("hospital_id", 1), ("seq", 1)]
_STATE: Document = {"applied_jobs": False}


@dataclass(frozen=True, slots=True)
class ChainReport:
    """How many entries and chains a check read, and the number of its findings, one per hospital at most.

    `first` is the first finding in the order of `_id`.
    """

    entries: int
    chains: int
    findings: int
    first: Finding | None

    @property
    def ok(self) -> bool:
        """Whether there are no findings."""
        return not self.findings


def _ignore(_: object) -> None:
    return None


class _Tally:
    """Counts entries, chains and findings, and passes findings and progress on to the caller."""

    def __init__(self, found: Callable[[Finding], None], progress: Callable[[int], None]) -> None:
        self._found = found
        self._progress = progress
        self._entries = self._chains = self._findings = 0
        self._first: Finding | None = None

    def entry(self) -> None:
        self._entries += 1
        if not self._entries % _PROGRESS_ENTRIES:
            self._progress(self._entries)

    def chain(self) -> None:
        self._chains += 1

    def finding(self, finding: Finding | None) -> None:
        if finding is not None:
            self._findings += 1
            self._first = self._first or finding
            self._found(finding)

    def report(self) -> ChainReport:
        return ChainReport(self._entries, self._chains, self._findings, self._first)


async def verify_chain(
    mongo: MongoHandle,
    hospital_id: str | None = None,
    *,
    heads: Iterable[Head] = (),
    found: Callable[[Finding], None] = _ignore,
    progress: Callable[[int], None] = _ignore,
) -> ChainReport:
    """Verify the chain of one hospital, or all chains, in constant memory, while workers write.

    `heads` are heads that `read_heads` returned earlier, in the same order; the chains must still contain them.
    `found` is called with each finding, at most one per hospital. `progress` is called with the number of entries
    read, at intervals.

    Raises the errors of `worker.mongo.errors`.
    """
    tally = _Tally(found, progress)
    with translated():
        if hospital_id is None:
            await _verify_all(mongo, iter(heads), tally)
        else:
            head = next((head for head in heads if head.hospital_id == hospital_id), None)
            finding, entries = await _verify_one(mongo, hospital_id, head, tally.entry)
            if entries:
                tally.chain()
            tally.finding(finding)
    return tally.report()


async def read_heads(mongo: MongoHandle) -> AsyncGenerator[Head, None]:
    """Yield the head of every chain, sorted by `hospital_id`, by code point; malformed entries are ignored.

    Raises the errors of `worker.mongo.errors`.
    """
    last: Document | None = None
    text = {"$type": "string"}
    wanted = {"hospital_id": text, "seq": {"$type": ["int", "long"]}, "hash": text}
    with translated():
        entries = majority(mongo.logs).find(wanted, list(wanted), sort=_IN_ORDER, batch_size=_BATCH)
        async with _closing(entries) as cursor:
            async for entry in cursor:
                if last is not None and last["hospital_id"] != entry["hospital_id"]:
                    yield Head(last["hospital_id"], last["seq"], last["hash"])
                last = entry
    if last is not None:
        yield Head(last["hospital_id"], last["seq"], last["hash"])


async def _verify_one(
    mongo: MongoHandle, hospital_id: str, head: Head | None, each: Callable[[], None]
) -> tuple[Finding | None, int]:
    """Return the finding for one hospital, read as of one instant, and the number of its entries."""
    entries = 0
    session = await settled(mongo.client.start_session(snapshot=True))
    try:
        registered = {"_id": hospital_id, "status": "registered"}
        hospital = await lenient(mongo.hospitals).find_one(registered, _STATE, session=session)
        chain = Chain(Reference(hospital_id, hospital, head))
        wanted = {"hospital_id": hospital_id}
        found = lenient(mongo.logs).find(wanted, sort=_IN_ORDER, batch_size=_BATCH, session=session)
        async with _closing(found) as cursor:
            async for entry in cursor:
                entries += 1
                each()
                chain.take(entry)
    finally:
        await session.end_session()
    return chain.end(), entries


async def _verify_all(mongo: MongoHandle, heads: Iterator[Head], tally: _Tally) -> None:
    async def check_again(reference: Reference) -> None:
        finding, _ = await _verify_one(mongo, reference.hospital_id, reference.head, _nothing)
        tally.finding(finding)

    async def close(chain: Chain | None) -> None:
        if chain is not None and chain.end() is not None:
            await check_again(chain.reference)

    logs, hospitals = majority(mongo.logs), majority(mongo.hospitals)
    registered = hospitals.find({"status": "registered"}, _STATE, sort=[("_id", 1)], batch_size=_BATCH)
    chain: Chain | None = None
    async with (
        _closing(logs.find({}, sort=_IN_ORDER, batch_size=_BATCH)) as entries,
        _closing(registered) as in_order,
    ):
        references = ReferenceStream(_with_text_ids(in_order, tally), heads)
        async for entry in entries:
            tally.entry()
            hospital_id = entry.get("hospital_id")
            if not isinstance(hospital_id, str):
                tally.finding(malformed(entry))
                continue
            if chain is None or chain.reference.hospital_id != hospital_id:
                await close(chain)
                async for reference in references.before(hospital_id):
                    await check_again(reference)
                chain = Chain(await references.of(hospital_id))
                tally.chain()
            chain.take(entry)
        await close(chain)
        async for reference in references.before(None):
            await check_again(reference)


async def _with_text_ids(hospitals: AsyncIterable[Document], tally: _Tally) -> AsyncIterator[Document]:
    async for hospital in hospitals:
        if isinstance(hospital["_id"], str):
            yield hospital
        else:
            detail = "the hospital is registered, but its _id is not text: the service did not write it"
            tally.finding(Finding(str(hospital["_id"]), "unlogged", None, None, detail))


def _nothing() -> None:
    return None


@asynccontextmanager
async def _closing(cursor: AsyncCursor[Document]) -> AsyncIterator[AsyncCursor[Document]]:
    try:
        yield cursor
    finally:
        await cursor.close()
