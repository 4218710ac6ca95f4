"""The ledger: compares every job that a producer reported as accepted with what MongoDB and Redis hold.

It trusts no worker and no result. An accepted job must be either applied, by a majority read of MongoDB, or a dead
letter; never neither, and never both.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Literal

from pymongo import ReadPreference
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern
from redis.asyncio import Redis

from worker.codec import Codec
from worker.contract import BULK_QUEUE, DEFAULT_QUEUE
from worker.mongo.audit.log import entry_hash
from worker.queue import keys

Kind = Literal["ingest", "register", "amend"]
Document = dict[str, Any]

_RESULTS_PER_CALL = 1_000
_EXAMPLES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Accepted:
    """One accepted job and its hospital. Only an amendment shares its hospital with other jobs."""

    job_id: str
    kind: Kind
    hospital_id: str


@dataclass
class Account:
    """The state of all accepted jobs. `broken` lists hospitals that do not agree with their log entries.

    `written_at` has the times at which workers' writes were acknowledged, for jobs whose results are kept.
    """

    accepted: int = 0
    applied: int = 0
    dead: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    written_at: list[datetime] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether every accepted job took effect once or is a dead letter, and nothing else happened."""
        return not (self.lost or self.doubled or self.broken or self.unexpected)

    def pause_s(self, since: datetime, until: datetime) -> float:
        """Return the longest time between two effects from `since` to `until`, in seconds."""
        marks = [since, *sorted(at for at in self.written_at if since <= at <= until), until]
        return max((after - before).total_seconds() for before, after in pairwise(marks))

    def resumed_after_s(self, returned: datetime) -> float:
        """Return the seconds from `returned` to the first effect after it."""
        return (min(at for at in self.written_at if at >= returned) - returned).total_seconds()

    def __str__(self) -> str:
        faults = {
            name: f"{len(found)} {found[:_EXAMPLES_SHOWN]}"
            for name in ("lost", "doubled", "broken", "unexpected")
            if (found := getattr(self, name))
        }
        return f"accepted {self.accepted}, applied {self.applied}, dead {self.dead}, {faults or 'clean'}"


class Ledger:
    """Record accepted jobs with `accept`; when no more will follow, call `settle` and then `account`.

    The client of `database` must read instants with their time zone (`tz_aware=True`), as they were hashed.
    `uncertain` is for calls that raised: their jobs may or may not have been enqueued, and both are correct.
    """

    def __init__(self, redis: "Redis[bytes]", database: "AsyncDatabase[Document]") -> None:
        self._redis = redis
        majority = database.with_options(
            read_concern=ReadConcern("majority"), read_preference=ReadPreference.PRIMARY
        )
        self._hospitals, self._logs = majority["hospitals"], majority["logs"]
        self.accepted: dict[str, Accepted] = {}
        self._uncertain: Counter[str] = Counter()

    def accept(self, kind: Kind, job_id: str, hospital_id: str) -> None:
        """Record a job that the producer reported as accepted."""
        self.accepted[job_id] = Accepted(job_id, kind, hospital_id)

    def uncertain(self, hospital_id: str) -> None:
        """Record a hospital whose enqueue call raised an error."""
        self._uncertain[hospital_id] += 1

    async def effects(self) -> int:
        """Return the number of hospitals plus the number of log entries."""
        return await self._hospitals.count_documents({}) + await self._logs.count_documents({})

    async def tries(self) -> Counter[int]:
        """Return how many accepted jobs ended on each try, from 1; the key 0 counts jobs without a result."""
        results = await self._results()
        return Counter(results[job_id]["t"] if job_id in results else 0 for job_id in self.accepted)

    async def settle(self, seconds: float, queues: Sequence[str] = (DEFAULT_QUEUE, BULK_QUEUE)) -> None:
        """Wait until no job waits or runs on the queues. Raises `TimeoutError` after `seconds`."""
        deadline = time.monotonic() + seconds
        left: dict[str, int] = {}
        while time.monotonic() < deadline:
            names = [name for queue in queues for name in (queue, queue + keys.LEASED_SUFFIX)]
            left = {name: int(await self._redis.zcard(name)) for name in names}
            left["leases"] = int(await self._redis.hlen(keys.LEASES))
            if not any(left.values()):
                return
            await asyncio.sleep(0.05)
        raise TimeoutError(f"jobs still queued or leased after {seconds:g} s: {left}")

    async def account(self) -> Account:
        """Compare the accepted jobs with what MongoDB and Redis hold."""
        account = Account(accepted=len(self.accepted))
        dead_letters = {job_id.decode() for job_id in await self._redis.hkeys(keys.DEAD)}
        hospitals = await self._read_hospitals()
        entries = await self._read_entries()
        results = await self._results()
        by_job = {entry["job_id"]: entry for chain in entries.values() for entry in chain}
        allowed = (
            Counter(job.hospital_id for job in self.accepted.values() if job.kind == "amend") + self._uncertain
        )
        for job in self.accepted.values():
            hospital = hospitals.get(job.hospital_id)
            entry = by_job.get(job.job_id)
            applied = hospital is not None and hospital["created_by_job"] == job.job_id
            if job.kind == "amend":
                applied = entry is not None and entry["event"] == "amended"
            _judge(job, account, applied=applied, dead=job.job_id in dead_letters)
            # The times in a document were set before it was sent, and it may have waited long after that.
            if applied and job.job_id in results:
                account.written_at.append(datetime.fromtimestamp(results[job.job_id]["ft"] / 1000, UTC))
            if job.kind == "register" and applied != (entry is not None):
                account.broken.append(f"{job.hospital_id}: hospital {applied}, entry {entry is not None}")
        for hospital_id, hospital in hospitals.items():
            events = Counter(entry["event"] for entry in entries.get(hospital_id, ()))
            # An effect without its entry, or a repeated effect, shows as a revision that is too low or too high.
            expected = 1 + events["amended"]
            if hospital["revision"] != expected:
                found = account.doubled if hospital["revision"] > expected else account.broken
                found.append(f"{hospital_id}: revision {hospital['revision']}, {expected} expected")
            if (hospital["status"] == "registered") != (events["registered"] == 1):
                account.broken.append(f"{hospital_id}: {hospital['status']}, {events['registered']} registrations")
            if events["amended"] > allowed[hospital_id]:
                account.unexpected.append(hospital_id)
        account.broken.extend(
            problem for hospital_id, chain in entries.items() if (problem := _chain_problem(hospital_id, chain))
        )
        known = {job.hospital_id for job in self.accepted.values()} | self._uncertain.keys()
        account.unexpected.extend(sorted((set(hospitals) | set(entries)) - known))
        return account

    async def _results(self) -> dict[str, Document]:
        job_ids, codec = list(self.accepted), Codec()
        found: dict[str, Document] = {}
        for start in range(0, len(job_ids), _RESULTS_PER_CALL):
            part = job_ids[start : start + _RESULTS_PER_CALL]
            stored = await self._redis.mget([keys.RESULT + job_id for job_id in part])
            found |= {job_id: codec.decode(data) for job_id, data in zip(part, stored, strict=True) if data}
        return found

    async def _read_hospitals(self) -> dict[str, Document]:
        wanted = {"revision": 1, "created_by_job": 1, "status": 1}
        return {found["_id"]: found async for found in self._hospitals.find({}, wanted)}

    async def _read_entries(self) -> dict[str, list[Document]]:
        chains: dict[str, list[Document]] = {}
        async for entry in self._logs.find({}).sort([("hospital_id", 1), ("seq", 1)]):
            chains.setdefault(entry["hospital_id"], []).append(entry)
        return chains


def _judge(job: Accepted, account: Account, *, applied: bool, dead: bool) -> None:
    if applied and dead:
        account.doubled.append(f"{job.job_id}: applied and a dead letter")
    elif applied:
        account.applied += 1
    elif dead:
        account.dead += 1
    else:
        account.lost.append(job.job_id)


def _chain_problem(hospital_id: str, chain: list[Document]) -> str | None:
    if len({entry["job_id"] for entry in chain}) != len(chain):
        return f"{hospital_id}: two entries of one job"
    for number, entry in enumerate(chain, start=1):
        previous = chain[number - 2]["hash"] if number > 1 else None
        if entry["seq"] != number or entry["prev_hash"] != previous or entry["hash"] != entry_hash(entry):
            return f"{hospital_id}: chain broken at entry {number}"
    return None
