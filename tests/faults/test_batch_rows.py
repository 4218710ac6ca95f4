"""Batches while workers, Redis and the producer are killed around their last jobs."""

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.acceptance.conftest import Site, WorkerRun
from tests.faults.batch_script import COMPLETED, STEP, Step, steps
from tests.faults.injectors.processes import sigkill
from tests.faults.rows import Row
from worker.contract import DEFAULT_QUEUE, batch_job_id
from worker.embedded import EmbeddedRedis
from worker.errors import BatchNotFound
from worker.queue import keys
from worker.queue.batches import BatchProgress, BatchStore

WORKERS = 2
# Which processes are killed at once.
VICTIMS = (
    ("worker",),
    ("redis",),
    ("producer",),
    ("worker", "worker"),
    ("worker", "redis"),
    ("redis", "producer"),
    ("worker", "worker", "redis", "producer"),
)
SETTINGS = "tests.faults.settings.batched.WorkerSettings"


@dataclass(frozen=True)
class NoMongo:
    """The jobs of these rows need no MongoDB."""

    url: str = "mongodb://127.0.0.1:1/"


class BatchStand:
    """Workers, a Redis and a producer that can be killed, and a ledger of what the jobs have done."""

    def __init__(self, server: EmbeddedRedis, folder: Path, row: Row) -> None:
        self.site = Site(server, NoMongo(), folder)
        self.server, self.row = server, row
        self.batches = BatchStore(self.site.redis)
        self.ledger, self.broken = folder / "ledger", folder / "broken"
        self.site.environment |= {
            "LEDGER": str(self.ledger),
            "BROKEN": str(self.broken),
            "WORKER_LEASE": "2",
            "REDIS_TIMEOUT": "1",
        }
        self.workers: list[WorkerRun] = []
        self.producer: asyncio.subprocess.Process | None = None

    async def employ(self) -> None:
        """Start as many workers as are missing; the others serve meanwhile."""
        while len(self.workers) < WORKERS:
            self.workers.append(await self.site.start(SETTINGS))

    async def produce(self, batch_id: str, seed: int) -> None:
        environment = {**os.environ, **self.site.environment, "PYTHONPATH": str(Path.cwd())}
        self.producer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.faults.batch_script", batch_id, str(seed)),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
        )

    async def read_steps(self, count: int) -> None:
        """Wait until the producer has taken so many steps of its three."""
        assert self.producer is not None
        assert self.producer.stdout is not None
        for _ in range(count):
            await self.producer.stdout.readline()

    async def produced(self) -> int:
        assert self.producer is not None
        await self.producer.communicate()
        return self.producer.returncode or 0

    async def kill(self, victims: Sequence[str]) -> None:
        """Kill all victims at once, and start again what is always there."""
        self.row.faults += len(victims)
        if "producer" in victims and self.producer is not None and self.producer.returncode is None:
            self.producer.kill()
        dying = [self.workers.pop() for _ in range(victims.count("worker"))]
        killed = [sigkill(*dying)] if dying else []
        if "redis" in victims:
            killed.append(self.server.kill())
        await asyncio.gather(*killed)
        if "redis" in victims:
            await self.server.start()
        await self.employ()

    async def progress(self, batch_id: str) -> BatchProgress | None:
        try:
            return await self.batches.progress(batch_id)
        except BatchNotFound:
            return None

    async def until_about_to_end(self, batch_id: str, left: int) -> None:
        """Wait until no more than so many jobs of a batch have not ended; -1: until the batch has."""

        async def is_about_to_end() -> bool:
            found = await self.progress(batch_id)
            if found is None or left < 0:
                return found is not None and found.has_ended
            return found.total - found.ended <= left

        await self.site.until(is_about_to_end)

    async def has_completed(self, batch_id: str) -> bool:
        return bool(await self.site.redis.exists(f"{keys.RESULT}{batch_job_id(COMPLETED, batch_id)}"))

    def noted(self, *words: str) -> list[list[str]]:
        """Return the lines of the ledger that begin with these words."""
        lines = self.ledger.read_text().splitlines() if self.ledger.exists() else []
        return [line.split() for line in lines if line.split()[: len(words)] == list(words)]


@pytest_asyncio.fixture
async def stand(tmp_path: Path, row: Row) -> AsyncIterator[BatchStand]:
    async with EmbeddedRedis(appendfsync="always") as server:
        stand = BatchStand(server, tmp_path, row)
        await stand.employ()
        yield stand
        if stand.producer is not None and stand.producer.returncode is None:
            stand.producer.kill()
            await stand.producer.wait()
        await stand.site.close()


async def _kill_around_the_last_jobs(stand: BatchStand, rounds: int) -> int:
    """Load so many batches, kill something in each, and check each; returns how many completion jobs have run."""
    rng = random.Random(stand.row.seed)
    for number in range(rounds):
        batch_id, seed = f"batch-{number}", rng.randrange(2**32)
        jobs = steps(seed)
        stand.broken.touch()
        await stand.produce(batch_id, seed)
        victims = rng.choice(VICTIMS)
        match rng.choice(("filling", "sealing", "last job", "last job", "completion")):
            case "filling":
                await stand.read_steps(1)
            case "sealing":
                await stand.read_steps(2)
            case "last job":
                await stand.read_steps(2)
                await stand.until_about_to_end(batch_id, 1)
            case "completion":
                await stand.until_about_to_end(batch_id, -1)
        await asyncio.sleep(rng.uniform(0, 0.03))
        await stand.kill(victims)
        await _check_the_batch(stand, batch_id, seed, jobs)
        if any(job.fragile for job in jobs) and rng.random() < 0.5:
            await _retry_the_dead_letters(stand, batch_id, jobs, victims)
        stand.row.accepted += len(jobs)
        stand.row.applied += len(jobs)
    await stand.site.until(lambda: _is_empty(stand))
    completed = stand.noted("completed")
    assert {line[-1] for line in completed} == {"0"}
    return len({line[1] for line in completed})


async def _is_empty(stand: BatchStand) -> bool:
    return not await stand.site.redis.exists(DEFAULT_QUEUE)


async def _check_the_batch(stand: BatchStand, batch_id: str, seed: int, jobs: list[Step]) -> None:
    if await stand.produced() != 0:
        # The same command again goes on where it was killed.
        await stand.produce(batch_id, seed)
        assert await stand.produced() == 0
    await stand.site.until(lambda: stand.has_completed(batch_id), 30)
    found = await stand.batches.progress(batch_id)
    fragile = sum(job.fragile for job in jobs)
    assert (found.state, found.total) == ("finished", len(jobs))
    assert (found.complete, found.dead, found.ended) == (len(jobs) - fragile, fragile, len(jobs))
    assert found.counts.get("rows", 0) == sum(job.rows for job in jobs if not job.fragile)
    outcomes = [job.outcome for job in await stand.batches.jobs(batch_id)]
    assert outcomes == ["dead" if job.fragile else "complete" for job in jobs]
    done = Counter(line[1] for line in stand.noted("step"))
    assert all(done[batch_job_id(STEP, batch_id, str(key))] >= 1 for key, job in enumerate(jobs) if not job.fragile)
    _check_the_completion(stand, batch_id, len(jobs))


def _check_the_completion(stand: BatchStand, batch_id: str, jobs: int) -> None:
    """Each run must know the final counts. If a worker is killed, it is delivered again, before it has a result."""
    runs = stand.noted("completed", batch_id)
    assert runs
    assert all(run[2:] == ["finished", str(jobs), str(jobs), "0"] for run in runs), runs


async def _retry_the_dead_letters(
    stand: BatchStand, batch_id: str, jobs: list[Step], victims: Sequence[str]
) -> None:
    stand.broken.unlink()
    dead_letters = [letter async for letter in stand.site.dead_letters.all() if batch_id in letter.job_id]
    assert await stand.site.dead_letters.retry(dead_letters) == len(dead_letters)
    await stand.kill([victim for victim in victims if victim != "producer"])

    async def all_complete() -> bool:
        found = await stand.progress(batch_id)
        return found is not None and found.complete == len(jobs)

    await stand.site.until(all_complete, 30)
    found = await stand.batches.progress(batch_id)
    assert (found.dead, found.state) == (0, "finished")
    assert found.counts["rows"] == sum(job.rows for job in jobs)
    # Nothing of a completion job is left in the queue, so it was not enqueued again.
    assert not await stand.site.redis.exists(f"{keys.JOB}{batch_job_id(COMPLETED, batch_id)}")
    _check_the_completion(stand, batch_id, len(jobs))


async def test_row_52_kills_around_the_last_job_of_a_batch(stand: BatchStand) -> None:
    assert await _kill_around_the_last_jobs(stand, rounds=5) == 5


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_row_52_many_kills_around_the_last_job_of_a_batch(stand: BatchStand) -> None:
    # With the three seeds of `make faults`, 201 rounds.
    assert await _kill_around_the_last_jobs(stand, rounds=67) == 67
