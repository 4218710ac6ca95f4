"""One import whose producer, workers and Redis are killed again and again, and what must be true at its end."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from producers.files import HospitalFile
from producers.generator import expected_truth, write_rows
from tests.acceptance.conftest import WorkerRun
from tests.faults.stand import Stand
from tests.support.memory import peak_mb
from worker.contract import CLOSE_IMPORT, DEFAULT_QUEUE, MAX_CHUNK_RECORDS, RecordStatus, batch_job_id
from worker.contract.imports import LEFT_OUT
from worker.demo.recount import distinct_hospitals
from worker.errors import BatchNotFound
from worker.queue import keys
from worker.queue.batches import BatchProgress, BatchStore

SETTINGS = "tests.faults.settings.imported.WorkerSettings"
WORKERS = 2
MOST_PRODUCER_MB, MOST_WORKER_MB = 150, 250


class ImportRun:
    """The import of so many generated rows. Once its producer is killed, the same command runs again."""

    def __init__(self, stand: Stand, folder: Path, rows: int) -> None:
        self._stand, self._folder, self._rows = stand, folder, rows
        self._file, self._completions = folder / "hospitals.csv", folder / "completions"
        stand.environment["COMPLETIONS"] = str(self._completions)
        write_rows(self._file, "csv", rows, stand.row.seed)
        self._batches = BatchStore(stand.redis)
        self._workers: list[WorkerRun] = []
        self._producer: asyncio.subprocess.Process | None = None
        self._producer_mb = self._worker_mb = self._starts = 0
        self.chunks = -(-rows // MAX_CHUNK_RECORDS)

    async def tend(self) -> None:
        """Start what does not run: workers, and the producer until the import has ended."""
        for worker in self._workers:
            # A worker that starts while Redis is down logs it and ends; a running worker must not end.
            assert worker.process.returncode is None or "The worker cannot start" in worker.log, worker.log[-2000:]
        self._workers = [worker for worker in self._workers if worker.process.returncode is None]
        while len(self._workers) < WORKERS:
            self._workers.append(await self._stand.start(SETTINGS))
        if self._producer is None or (self._producer.returncode is not None and not await self.has_ended()):
            await self._produce()
        self._note_memory()

    async def _produce(self) -> None:
        self._starts += 1
        with (self._folder / "producer.log").open("ab") as log:
            self._producer = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "producers", "ingest", str(self._file), "--json"),
                env={**os.environ, **self._stand.environment, "PYTHONPATH": str(Path.cwd())},
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
            )

    def _note_memory(self) -> None:
        assert self._producer is not None
        self._producer_mb = max(self._producer_mb, peak_mb(self._producer.pid))
        self._worker_mb = max(self._worker_mb, *(peak_mb(worker.pid) for worker in self._workers))

    async def until_ended(self, chunks: int, seconds: float) -> None:
        """Wait until so many chunks of the import have ended."""

        async def are_ended() -> bool:
            await self.tend()
            progress = await self._progress()
            return chunks == 0 or (progress is not None and progress.ended >= chunks)

        await self._stand.until(are_ended, seconds)

    async def kill(self, victims: Sequence[str]) -> None:
        """Kill all victims at once, and start them again."""
        self._stand.row.faults += len(victims)
        if "worker" in victims:
            # A job whose workers were killed three times would be a dead letter.
            await self._stand.until(self._no_job_has_crashed, 60)
        await self.tend()
        workers = self._workers[: victims.count("worker")]
        dying = [worker.process for worker in workers]
        if "producer" in victims and self._producer is not None:
            dying.append(self._producer)
        for process in dying:
            with suppress(ProcessLookupError):
                process.kill()
        if "redis" in victims:
            await self._stand.redis_server.kill()
            await self._stand.redis_server.start()
        await asyncio.gather(*(process.wait() for process in dying))
        self._workers = [worker for worker in self._workers if worker not in workers]
        await self.tend()

    async def _no_job_has_crashed(self) -> bool:
        return not await self._stand.redis.hlen(keys.CRASHES)

    async def until_over(self, seconds: float) -> None:
        """Wait until the import and its producer have ended."""

        async def is_over() -> bool:
            await self.tend()
            return self._producer is not None and self._producer.returncode is not None and await self.has_ended()

        await self._stand.until(is_over, seconds)

    async def has_ended(self) -> bool:
        """Whether the import has ended; the same command would begin another one."""
        return await self._stand.database["imports"].find_one({"state": "finished"}) is not None

    async def _first(self) -> dict[str, Any] | None:
        return await self._stand.database["imports"].find_one({}, sort=[("started_at", 1)])

    async def _progress(self) -> BatchProgress | None:
        found = await self._first()
        with suppress(BatchNotFound):
            return None if found is None else await self._batches.progress(found["_id"])
        return None

    async def check(self) -> None:
        """Check that every row is accounted for, nothing was applied twice, and the import was completed once."""
        found, progress = await self._first(), await self._progress()
        assert found is not None
        assert progress is not None
        fates = {fate: progress.counts.get(fate, 0) for fate in get_args(RecordStatus)}
        entries = await self._report(found["_id"])
        hospitals = self._stand.database["hospitals"]
        stored = await hospitals.count_documents({})
        rejected = {entry["line"] for entry in entries if entry["status"] == "rejected"}
        distinct = distinct_hospitals(HospitalFile.open(self._file), rejected)
        row = self._stand.row
        row.accepted, row.applied = self._rows, sum(fates.values())
        row.lost = max(0, distinct - stored) + max(0, row.accepted - row.applied)
        row.doubled = max(0, stored - distinct) + await hospitals.count_documents({"revision": {"$ne": 1}})
        row.notes |= {
            "starts of the producer": self._starts,
            "fates": {fate: count for fate, count in fates.items() if count},
            "producer, MB at most": self._producer_mb,
            "worker, MB at most": self._worker_mb,
        }
        assert (row.lost, row.doubled, row.applied) == (0, 0, self._rows)
        assert (progress.state, progress.total, progress.complete) == ("finished", self.chunks, self.chunks)
        self._check_fates(fates, stored)
        self._check_report(entries, progress.counts)
        assert found["counts"] == progress.counts
        await self._check_completion(found["_id"])
        assert self._producer_mb < MOST_PRODUCER_MB
        assert self._worker_mb < MOST_WORKER_MB

    def _check_fates(self, fates: dict[str, int], stored: int) -> None:
        truth = expected_truth(self._rows, self._stand.row.seed)
        assert (fates["created"], fates["rejected"]) == (truth.created, truth.rejected)
        assert fates["created"] == stored
        # Which of two spellings is stored depends on which chunk comes first.
        assert fates["same"] + fates["kept"] == truth.same + truth.kept

    def _check_report(self, entries: list[dict[str, Any]], counts: Any) -> None:
        assert len({entry["line"] for entry in entries}) == len(entries)
        reported = Counter(entry["status"] for entry in entries)
        for fate in ("rejected", "kept", "collision", "conflict"):
            assert reported[fate] == counts.get(fate, 0)
        cells = Counter(LEFT_OUT + cell["field"] for entry in entries for cell in entry.get("left_out", ()))
        assert cells == {name: count for name, count in counts.items() if name.startswith(LEFT_OUT)}

    async def _report(self, import_id: str) -> list[dict[str, Any]]:
        """Return the import's report, as another process gets it."""
        folder = self._folder / "again"
        done = await self._stand.run("producers", "imports", "report", import_id, "--report", str(folder))
        assert done.code == 0, done.err
        return [json.loads(line) for line in (folder / import_id / "report.ndjson").read_text().splitlines()]

    async def _check_completion(self, import_id: str) -> None:
        runs = [line.split() for line in self._completions.read_text().splitlines()]
        # If its worker is killed, it is delivered again, before it has a result.
        assert [import_id, "0"] in runs
        assert all(again == "0" for _, again in runs)
        assert not await self._stand.redis.exists(f"{keys.JOB}{batch_job_id(CLOSE_IMPORT, import_id)}")
        assert not await self._stand.redis.zcard(DEFAULT_QUEUE)
        # Another import begins if the producer is killed after the end of the first. It finds every row stored.
        others = await self._stand.database["imports"].find({"_id": {"$ne": import_id}}).to_list(None)
        assert all(it["state"] == "finished" and "created" not in it["counts"] for it in others)

    async def aclose(self) -> None:
        """Kill the producer, if it runs."""
        if self._producer is not None and self._producer.returncode is None:
            self._producer.kill()
            await self._producer.wait()
