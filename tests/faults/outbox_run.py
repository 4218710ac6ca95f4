"""Transactions that add jobs to the outbox while workers and Redis are killed, and what must be true at the end."""

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

from bson import Timestamp
from pymongo.asynchronous.client_session import AsyncClientSession

from producers.outbox import HospitalOutbox
from producers.receipts import Receipt
from tests.acceptance.conftest import WorkerRun
from tests.faults.injectors.processes import frozen
from tests.faults.load import record
from tests.faults.stand import Stand
from worker.codec import Codec
from worker.contract import HospitalChanges
from worker.mongo.outbox_writes import OUTBOX, OUTBOX_HOSPITALS
from worker.queue import keys

WORKERS = 2
_WRITERS = 8
_BY: Any = {"actor": "faults", "reason": "the suite"}
# Jobs of one hospital, on average: long enough for an order, and for conflicts.
JOBS_PER_HOSPITAL = 10
_MOST_BEDS = 100_000
_FILLER_BYTES = 15_000_000
_RESULTS_PER_CALL = 1_000
_USUAL_TURN_MS, _LONGEST_TURN_MS = 3_000, 600_000
# ChangeStreamHistoryLost, and what its cursor on the oplog meets first.
_HISTORY_LOST = ("(286)", "(136)")


class _Aborted(Exception):
    """What a service raises within its transaction."""


class OutboxRun:
    """Commits and aborts transactions; each that is committed notes its job in a ledger of its own.

    The ledger is written in the same transaction, so it is what the jobs that ran are compared with.
    """

    def __init__(self, stand: Stand, outbox: HospitalOutbox, hospitals: int) -> None:
        self._stand, self._outbox, self._hospitals = stand, outbox, hospitals
        self._ledger = stand.database["outbox_ledger"]
        self._workers: list[WorkerRun] = []
        self._numbers = itertools.count(1_000_000)
        self.committed = self.aborted = self.attempts = 0

    # ---- the service ------------------------------------------------------------------------------------

    async def write(self, committed: int, aborted: int) -> None:
        """Commit and abort so many transactions, in a random order, several at once."""
        acts = [True] * committed + [False] * aborted
        self._stand.rng.shuffle(acts)
        each = iter(acts)

        async def write_some() -> None:
            for commits in each:
                await self.act(self._stand.rng.randrange(self._hospitals), commits=commits)

        async with asyncio.TaskGroup() as writers:
            for _ in range(_WRITERS):
                writers.create_task(write_some())

    async def act(self, number: int, *, commits: bool = True) -> Receipt[Any]:
        """Register a hospital, or amend it if it was registered before; returns the receipt of the last attempt."""
        receipts: list[Receipt[Any]] = []

        async def body(session: AsyncClientSession) -> None:
            self.attempts += 1
            receipts.append(await self._add(session, number))
            if not commits:
                raise _Aborted

        async with self._stand.database.client.start_session() as session:
            with suppress(_Aborted):
                await session.with_transaction(body)
        self.committed += commits
        self.aborted += not commits
        return receipts[-1]

    async def _add(self, session: AsyncClientSession, number: int) -> Receipt[Any]:
        hospital_id = f"faults:h{number}"
        counters = self._stand.database[OUTBOX_HOSPITALS]
        receipt: Receipt[Any]
        if await counters.find_one({"_id": hospital_id}, session=session) is None:
            receipt = await self._outbox.register_hospital(session, record(number), **_BY)
        else:
            changes = HospitalChanges(beds=next(self._numbers) % _MOST_BEDS)
            receipt = await self._outbox.amend_hospital(session, hospital_id, changes, **_BY)
        counter = await counters.find_one({"_id": hospital_id}, session=session)
        assert counter is not None
        entry = {"_id": receipt.job_id, "hospital": hospital_id, "seq": counter["seq"]}
        await self._ledger.insert_one(entry, session=session)
        return receipt

    # ---- the faults -------------------------------------------------------------------------------------

    async def start_missing_workers(self) -> None:
        """Start the workers that do not run."""
        for worker in self._workers:
            # A worker that starts while Redis is down logs it and ends; a running worker must not end.
            assert worker.process.returncode is None or "The worker cannot start" in worker.log, worker.log[-2000:]
        self._workers = [worker for worker in self._workers if worker.process.returncode is None]
        while len(self._workers) < WORKERS:
            self._workers.append(await self._stand.start())

    async def begin(self) -> None:
        """Start the workers, and wait until one of them is ready."""
        await self.start_missing_workers()
        await self._stand.until(lambda: self._stand.is_ready(self._workers[0]), 60)

    async def until_committed(self, count: int, writing: "asyncio.Task[None]", seconds: float) -> None:
        """Wait until so many transactions are committed, or all have been written."""

        async def are_committed() -> bool:
            await self.start_missing_workers()
            if writing.done():
                writing.result()
            return self.committed >= count or writing.done()

        await self._stand.until(are_committed, seconds)

    async def kill_relay(self) -> None:
        """SIGKILL the worker that relays, or at times all of them."""
        # A job whose workers were killed three times would be a dead letter.
        await self._stand.until(self._no_job_has_crashed, 60)
        await self.start_missing_workers()
        relays = await self._relays()
        victims = self._workers if self._stand.rng.random() < 0.2 or not relays else relays
        self._stand.row.faults += len(victims)
        for victim in victims:
            with suppress(ProcessLookupError):
                victim.process.kill()
        await asyncio.gather(*(victim.process.wait() for victim in victims))
        self._workers = [worker for worker in self._workers if worker not in victims]
        await self.start_missing_workers()

    async def _no_job_has_crashed(self) -> bool:
        await self.start_missing_workers()
        return not await self._stand.redis.hlen(keys.CRASHES)

    async def take_redis_away(self, seconds: float) -> None:
        """Kill Redis, and start it again after so many seconds."""
        self._stand.row.faults += 1
        await self._stand.redis_server.kill()
        # This is the injected outage; it waits for no condition.
        await asyncio.sleep(seconds)
        await self._stand.redis_server.start()

    async def roll_oplog_over(self) -> int:
        """Freeze the workers until MongoDB has forgotten every change since; returns the bytes that it took."""
        self._stand.row.faults += 1
        client = self._stand.database.client
        # For some seconds a worker that was killed still has the turn, and nobody has a stream to lose.
        await self._stand.until(self._relay_reads_changes, 60)
        # The relay keeps its turn, so that it goes on reading its change stream, whose end it meets.
        await self._stand.redis.pexpire(keys.OUTBOX_RELAY, _LONGEST_TURN_MS)
        filler: Any = client["filler"]["filler"]
        written = 0
        with ExitStack() as stack:
            for worker in self._workers:
                stack.enter_context(frozen(worker))
            # A read that had begun goes on in the server for half a second, and moves the stream's place on.
            await self._stand.until(self._nobody_reads_changes, 60)
            frozen_at = await self._oplog_time(-1)
            while await self._oplog_time(1) <= frozen_at:
                # One document, so that only the oplog grows; another content, or nothing would be written.
                content = bytes([written // _FILLER_BYTES % 256]) * _FILLER_BYTES
                await filler.replace_one({"_id": 1}, {"filler": content}, upsert=True)
                written += _FILLER_BYTES
        await client.drop_database("filler")
        await self._stand.until(self.lost_streams, 60)
        # If the relay is killed now, another one must not wait for the longest turn.
        await self._stand.redis.pexpire(keys.OUTBOX_RELAY, _USUAL_TURN_MS)
        return written

    async def _relay_reads_changes(self) -> bool:
        await self.start_missing_workers()
        return bool(await self._relays()) and not await self._nobody_reads_changes()

    async def _relays(self) -> list[WorkerRun]:
        """Return the worker that has the turn, if it runs."""
        holder = await self._stand.redis.get(keys.OUTBOX_RELAY) or b""
        return [worker for worker in self._workers if f":{worker.pid}:".encode() in holder]

    async def _nobody_reads_changes(self) -> bool:
        reads: dict[str, Any] = {"command.getMore": {"$exists": True}, "command.collection": OUTBOX}
        found = await self._stand.database.client.admin.command("currentOp", **reads)
        return not found["inprog"]

    def lost_streams(self) -> int:
        """Return how often a worker found that MongoDB had forgotten changes that it had not read."""
        logs = [log.read_text(errors="replace") for log in self._stand.folder.glob("worker-*.log")]
        lines = [line for log in logs for line in log.splitlines() if "action=outbox_held_up" in line]
        return sum(any(code in line for code in _HISTORY_LOST) for line in lines)

    async def _oplog_time(self, order: int) -> Timestamp:
        """Return the time of the oldest (1) or the newest (-1) entry of the oplog."""
        oplog = self._stand.database.client["local"]["oplog.rs"]
        entry = await oplog.find_one({}, {"ts": 1}, sort=[("$natural", order)])
        assert entry is not None
        found: Timestamp = entry["ts"]
        return found

    # ---- what must be true ------------------------------------------------------------------------------

    async def until_empty(self, seconds: float) -> None:
        """Wait until every committed job has left the outbox and has ended."""

        async def is_empty() -> bool:
            await self.start_missing_workers()
            return await self._stand.database[OUTBOX].find_one({}, {"_id": 1}) is None

        await self._stand.until(is_empty, seconds)
        await self._stand.ledger.settle(60)

    async def check(self) -> None:
        """Check that every committed job ran once and in order, and no other."""
        expected = await self._ids_by_hospital(self._ledger.find({}).sort([("hospital", 1), ("seq", 1)]))
        ran = await self._ids_by_hospital(
            self._stand.database["logs"]
            .find({}, {"job_id": 1, "hospital_id": 1})
            .sort([("hospital_id", 1), ("seq", 1)])
        )
        wanted = {job_id for ids in expected.values() for job_id in ids}
        found = [job_id for ids in ran.values() for job_id in ids]
        row = self._stand.row
        row.accepted, row.applied = len(wanted), len(set(found) & wanted)
        row.dead = int(await self._stand.redis.hlen(keys.DEAD))
        row.lost = len(wanted - set(found))
        row.doubled = len(found) - len(set(found)) + await self._too_often_changed(ran)
        row.notes |= {
            "committed": self.committed,
            "aborted": self.aborted,
            "attempts": self.attempts,
            "change streams lost": self.lost_streams(),
            "never committed, but ran": len(set(found) - wanted),
            "hospitals out of order": sum(ran.get(hospital_id) != ids for hospital_id, ids in expected.items()),
        }
        assert row.accepted == self.committed
        assert (row.lost, row.doubled, row.dead) == (0, 0, 0)
        assert ran == expected

    async def _ids_by_hospital(self, entries: Any) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        async for entry in entries:
            found[entry.get("hospital") or entry["hospital_id"]].append(entry.get("job_id") or entry["_id"])
        return dict(found)

    async def _too_often_changed(self, ran: dict[str, list[str]]) -> int:
        """Return how many hospitals have another revision than their log says."""
        hospitals = self._stand.database["hospitals"].find({}, {"revision": 1})
        return sum([it["revision"] != len(ran.get(it["_id"], ())) async for it in hospitals])

    async def lags_ms(self, count: int, first: int) -> list[float]:
        """Commit so many jobs of new hospitals, one by one; returns for each the ms from commit to start."""
        committed_ms: dict[str, float] = {}
        for number in range(first, first + count):
            receipt = await self.act(number)
            committed_ms[receipt.job_id] = time.time() * 1000
            await receipt.outcome(timeout=30)
        started_ms = await self._started_ms(list(committed_ms))
        return sorted(started_ms[job_id] - at_ms for job_id, at_ms in committed_ms.items())

    async def _started_ms(self, job_ids: Sequence[str]) -> dict[str, float]:
        codec = Codec()
        found: dict[str, float] = {}
        for first in range(0, len(job_ids), _RESULTS_PER_CALL):
            part = job_ids[first : first + _RESULTS_PER_CALL]
            stored = await self._stand.redis.mget([keys.RESULT + job_id for job_id in part])
            found |= {job_id: codec.decode(data)["st"] for job_id, data in zip(part, stored, strict=True)}
        return found
