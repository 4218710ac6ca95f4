"""The memory of what jobs did: the collection `applied_jobs`.

The document of a hospital lists its latest changes, each written together with the change itself. Here is what
that list cannot keep: its older entries, and all entries of a hospital that is removed. An entry is written here
before it leaves the hospital's document, so a crash in between leaves it in both, and never in neither.
Answers of jobs that changed nothing are here alone (`worker.mongo.answers`).

A job asks here before it writes. A read costs nearly as much as an ingest, so jobs that ask at the same time share
one.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from pymongo import UpdateOne
from pymongo.errors import DuplicateKeyError

from worker.hidden_task import hidden
from worker.mongo.errors import translate, translated

if TYPE_CHECKING:
    from worker.mongo.client import Collection, Document, Session

# Deliveries of one job are minutes apart, so a list of this length usually recognises the second one by itself.
LISTED_CHANGES = 20
# Moving many at once makes moving rare; the latest stay, for jobs that have asked here but not yet written.
_CHANGES_THAT_STAY = 10
_JOBS_PER_READ = 500
# More than one, so that a read whose connection hangs holds only the jobs that share it.
_READS_AT_ONCE = 3
# Longer ids than producers may choose; together they could exceed what one command may hold.
_LONGEST_SHARED_ID = 1_000
_ABSENT: "Document" = {"$exists": False}


@dataclass(frozen=True, slots=True)
class Remembered:
    """What one job did to one hospital.

    `changes` maps the position of a record in its chunk (0 for a single record) to the revision that it produced;
    revision 1 is the creation. `discarded` identifies the document that a discard set out to remove. `answer` is
    what the job answered if it changed nothing, as `worker.mongo.answers` stores it.
    """

    changes: Mapping[int, int]
    discarded: "Document | None"
    answer: bytes | None = None

    @property
    def created(self) -> bool:
        """Whether the job created the hospital. As the hospital's document no longer shows it, that was removed."""
        return 1 in self.changes.values()


NOTHING = Remembered({}, None)
"""What a job did that did nothing."""


_Question = tuple[str, "asyncio.Future[Mapping[str, Remembered] | Exception]"]


class JobMemory:
    """What jobs did, by job and hospital, for at least `kept_days` after it left the hospital's document.

    The methods raise the errors of `worker.mongo.errors`.
    """

    def __init__(self, memory: "Collection", hospitals: "Collection", kept_days: int) -> None:
        self._memory = memory
        self._hospitals = hospitals
        self._kept = timedelta(days=kept_days)
        self._asking: list[_Question] = []
        self._readers: set[asyncio.Task[None]] = set()

    async def recall(self, job_id: str) -> Mapping[str, Remembered]:
        """Return what the job did, by hospital; nothing of what a hospital's document still lists."""
        with translated():
            # Checked here, because a text that cannot be sent would fail the read for all jobs that share it.
            job_id.encode()
            if len(job_id) > _LONGEST_SHARED_ID:
                return (await self._find([job_id])).get(job_id, {})
        answer: asyncio.Future[Mapping[str, Remembered] | Exception] = asyncio.get_running_loop().create_future()
        self._asking.append((job_id, answer))
        if len(self._readers) < _READS_AT_ONCE:
            # Cancelled by one job, it would leave all that share it without an answer.
            self._readers.add(hidden(asyncio.create_task(self._read(), name="job-memory-reader")))
        found = await answer
        if isinstance(found, Exception):
            raise translate(found) from None
        return found

    async def recall_one(self, job_id: str, hospital_id: str) -> Remembered:
        """Return what the job did to this hospital."""
        return (await self.recall(job_id)).get(hospital_id, NOTHING)

    async def _read(self) -> None:
        """Answer all jobs that ask, including those that begin to ask while a read is on its way."""
        try:
            while self._asking:
                await self._answer(self._asking[:_JOBS_PER_READ])
        finally:
            # In the step that found nobody asking. In a later one, a job that asks in between would count on this
            # reader, and wait for ever if no other job asks.
            self._readers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _answer(self, asking: Sequence[_Question]) -> None:
        del self._asking[: len(asking)]
        found: Mapping[str, Mapping[str, Remembered]] | Exception
        try:
            found = await self._find({job_id for job_id, _ in asking})
        except Exception as error:  # noqa: BLE001 - each job that asks raises it, translated
            found = error
        for job_id, answer in asking:
            if not answer.done():
                answer.set_result(found if isinstance(found, Exception) else found.get(job_id, {}))

    async def _find(self, job_ids: Iterable[str]) -> Mapping[str, Mapping[str, Remembered]]:
        by_job: dict[str, dict[str, Remembered]] = {}
        for stored in await self._memory.find({"_id.job": {"$in": list(job_ids)}}).to_list(None):
            changes = {change["record"]: change["revision"] for change in stored.get("changes", ())}
            remembered = Remembered(changes, stored.get("discarded"), stored.get("answer"))
            by_job.setdefault(stored["_id"]["job"], {})[stored["_id"]["hospital"]] = remembered
        return by_job

    async def shorten(self, stored: Iterable["Document"]) -> None:
        """Move the older changes out of the lists that are too long; `stored` are the hospitals as last read."""
        for hospital in stored:
            listed = hospital.get("applied_jobs", ())
            if len(listed) > LISTED_CHANGES:
                moved = listed[:-_CHANGES_THAT_STAY]
                with translated():
                    await self._memory.bulk_write(self._updates(hospital["_id"], moved), ordered=False)
                    await self._hospitals.update_one(
                        {"_id": hospital["_id"]}, {"$pullAll": {"applied_jobs": moved}}
                    )

    async def remember_removal(self, hospital: "Document", session: "Session | None" = None) -> None:
        """Keep all that jobs did to a hospital that is about to be removed."""
        with translated():
            await self._memory.bulk_write(
                self._updates(hospital["_id"], _changes_of(hospital)), ordered=False, session=session
            )

    async def remember_discard(self, job_id: str, hospital_id: str, removed: "Document | None") -> None:
        """Keep that a discard is about to remove a hospital, or found none, in which case `removed` is `None`.

        Raises `ConflictError` if another delivery of the job has meanwhile answered that it removes nothing.
        """
        discarded = incarnation(removed) if removed else {}
        with translated():
            await self._memory.update_one(
                {"_id": _key(job_id, hospital_id), "answer": _ABSENT},
                {"$set": {"discarded": discarded}, "$max": {"expires_at": self._expiry()}},
                upsert=True,
            )

    async def remember_answer(
        self,
        job_id: str,
        hospital_id: str,
        answer: bytes,
        *,
        discarded: "Document | None" = None,
        instead_of: bytes | None = None,
    ) -> bool:
        """Keep what the job answered. Returns `False`, and keeps nothing, if another delivery was faster.

        `discarded` and `instead_of` are what the job has recalled; the answer is kept only if they still hold.
        """
        seen: Document = {
            "_id": _key(job_id, hospital_id),
            "answer": _ABSENT if instead_of is None else instead_of,
            "changes": _ABSENT,
            "discarded": _ABSENT if discarded is None else discarded,
        }
        update: Document = {"$set": {"answer": answer}, "$max": {"expires_at": self._expiry()}}
        with translated():
            try:
                await self._memory.update_one(seen, update, upsert=True)
            except DuplicateKeyError:
                return False
        return True

    async def has_changed(self, job_id: str, hospital_id: str) -> bool:
        """Return whether the job has changed the hospital, wherever this is kept."""
        with translated():
            stored = await self._hospitals.find_one(
                {"_id": hospital_id}, projection=["created_by_job", "applied_jobs"]
            )
        if stored is not None and any(change["job"] == job_id for change in _changes_of(stored)):
            return True
        # Asked after the hospital, because a change is written here before it leaves there.
        return bool((await self.recall_one(job_id, hospital_id)).changes)

    def _updates(self, hospital_id: str, entries: Iterable["Document"]) -> list[UpdateOne]:
        by_job: dict[str, list[Document]] = {}
        for entry in entries:
            change = {"record": entry["record"], "revision": entry["revision"]}
            by_job.setdefault(entry["job"], []).append(change)
        expires_at = self._expiry()
        return [
            UpdateOne(
                {"_id": _key(job_id, hospital_id)},
                {"$addToSet": {"changes": {"$each": changes}}, "$max": {"expires_at": expires_at}},
                upsert=True,
            )
            for job_id, changes in by_job.items()
        ]

    def _expiry(self) -> datetime:
        return datetime.now(UTC) + self._kept


def incarnation(hospital: "Document") -> "Document":
    """Return what distinguishes this document of a hospital from one that is created after it was removed."""
    return {name: hospital[name] for name in ("created_by_job", "created_at")}


def _key(job_id: str, hospital_id: str) -> "Document":
    return {"job": job_id, "hospital": hospital_id}


def _changes_of(hospital: "Document") -> list["Document"]:
    created = {"job": hospital["created_by_job"], "record": 0, "revision": 1}
    return [created, *hospital.get("applied_jobs", ())]
