"""An import that can be stopped at a known chunk: its list, its worker and its producer."""

import asyncio
import fcntl
import functools
import json
import os
import sys
import termios
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient

from tests.acceptance.conftest import Finished, Site
from worker.contract import MAX_CHUNK_RECORDS
from worker.embedded import EmbeddedMongo
from worker.errors import BatchNotFound
from worker.queue.batches import BatchProgress, BatchStore
from worker.supervisor import exit_with_parent

SETTINGS = "held_settings.WorkerSettings"
CHUNKS = 16
ROWS = CHUNKS * MAX_CHUNK_RECORDS
# Each chunk has one row without a name, and one that repeats another.
FATES = {"created": ROWS - 2 * CHUNKS, "same": CHUNKS, "rejected": CHUNKS}
HELD_FROM = 3
"""The first chunk that waits for `Interrupted.release`."""
IN_FLIGHT = 8
"""How many chunks a producer has enqueued at a time."""


class Interrupted:
    """The list and what a test needs to interrupt its import. `terminal` is where Ctrl-C can be typed."""

    def __init__(self, site: Site, mongo: EmbeddedMongo) -> None:
        self.site = site
        self.file = site.folder / "list.csv"
        self._held_from, self._runs = site.folder / "held-from", site.folder / "chunks-run"
        site.environment |= {"HELD_FROM": str(self._held_from), "CHUNKS_RUN": str(self._runs), "WORKER_LEASE": "4"}
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongo.url)
        self.database = self._client[site.settings.mongodb_database]
        self.batches = BatchStore(site.redis)
        self.terminal, self._program_side = os.openpty()
        self.hold(HELD_FROM)
        self.write()

    def write(self, phone: str = "555-0100") -> None:
        """Write the list; with another `phone` it has a value that a merge changes."""
        lines = ["hospital_name,external_id,city,phone"]
        for number in range(ROWS):
            place = number % MAX_CHUNK_RECORDS
            name = "" if place == 10 else f"Hospital {number - (place == 20)}"
            lines.append(f"{name},{number - (place == 20)},Town,{phone}")
        self.file.write_text("\n".join(lines) + "\n")

    def hold(self, chunk: int) -> None:
        """Let chunks wait from this one on."""
        other = self._held_from.with_suffix(".new")
        other.write_text(str(chunk))
        other.replace(self._held_from)

    def release(self) -> None:
        """Let all chunks run."""
        self._held_from.unlink(missing_ok=True)

    def runs(self) -> Counter[int]:
        """Return how often each chunk was run."""
        return Counter(map(int, self._runs.read_text().split()))

    def ingest(self, *options: str) -> tuple[str, ...]:
        """Return the command that imports the list."""
        return "producers", "ingest", str(self.file), "--source", "moh", "--json", *options

    async def start(self, command: Sequence[str]) -> asyncio.subprocess.Process:
        """Start a command on the terminal; its output goes elsewhere."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *command),
            env={**os.environ, **self.site.environment, "PYTHONPATH": str(Path.cwd())},
            stdin=self._program_side,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            preexec_fn=functools.partial(_take_terminal, os.getpid()),
        )

    def type_ctrl_c(self) -> None:
        """Type Ctrl-C on the terminal of the running command."""
        os.write(self.terminal, b"\x03")

    async def half_way(self, held_from: int = HELD_FROM) -> str:
        """Wait until nothing moves because chunks are held; return the import's id."""
        return str(await self.site.until(lambda: self._reaches(held_from, held_from + IN_FLIGHT), 60))

    async def _reaches(self, complete: int, total: int) -> str | None:
        found = await self.database["imports"].find_one({"state": "running"})
        progress = None if found is None else await self.progress(found["_id"])
        if found is None or progress is None or (progress.complete, progress.total) != (complete, total):
            return None
        return str(found["_id"])

    async def progress(self, import_id: str) -> BatchProgress | None:
        """Return how far the import is; None if Redis does not know it."""
        try:
            return await self.batches.progress(import_id)
        except BatchNotFound:
            return None

    async def finish(self, process: asyncio.subprocess.Process) -> Finished:
        """Wait until a command ends."""
        out, err = await asyncio.wait_for(process.communicate(), 100)
        return Finished(process.returncode or 0, out.decode(), err.decode())

    async def check(
        self, finished: Finished, fates: dict[str, int] = FATES, *, revision: int = 1
    ) -> dict[str, Any]:
        """Check that the import accounts for every row and has applied each once; return its summary."""
        assert finished.code == 1, finished.err
        summary: dict[str, Any] = json.loads(finished.out)
        assert (summary["rows"], summary["unaccounted"], summary["failed_jobs"]) == (ROWS, 0, [])
        assert {fate: summary[fate] for fate in fates} == fates
        assert sum(fates.values()) == ROWS
        (found,) = await self.database["imports"].find({"_id": summary["import"]}).to_list(None)
        assert found["state"] == summary["state"] == "finished"
        progress = await self.progress(summary["import"])
        assert progress is not None
        assert found["counts"] == progress.counts == fates
        assert (progress.state, progress.complete, progress.total) == ("finished", CHUNKS, CHUNKS)
        hospitals = self.database["hospitals"]
        assert await hospitals.count_documents({}) == FATES["created"]
        assert await hospitals.count_documents({"revision": revision}) == FATES["created"]
        return summary

    async def close(self) -> None:
        """Close what this object has opened."""
        await self._client.close()
        os.close(self.terminal)
        os.close(self._program_side)


def _take_terminal(parent: int) -> None:
    exit_with_parent(parent)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
