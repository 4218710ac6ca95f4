import asyncio
from typing import Any, cast

import pytest

from worker.mongo.client import Collection
from worker.mongo.memory import JobMemory


class HeldReads:
    """A collection without documents whose reads are answered together."""

    def __init__(self) -> None:
        self.answered = asyncio.Event()
        self.reads: list[list[str]] = []

    def find(self, wanted: dict[str, Any]) -> "HeldReads":
        self.reads.append(sorted(wanted["_id.job"]["$in"]))
        return self

    async def to_list(self, _length: None) -> list[dict[str, Any]]:
        await self.answered.wait()
        return []


async def let_run() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def ask_twice(memory: JobMemory, job_id: str) -> None:
    await memory.recall(job_id)
    await memory.recall(job_id)


@pytest.fixture
def reads() -> HeldReads:
    return HeldReads()


@pytest.fixture
def memory(reads: HeldReads) -> JobMemory:
    return JobMemory(cast(Collection, reads), cast(Collection, None), kept_days=30)


async def test_jobs_that_ask_while_all_reads_are_on_their_way_share_the_next(
    memory: JobMemory, reads: HeldReads
) -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for job_id in "abcde":
            group.create_task(memory.recall(job_id))
            await let_run()
        assert reads.reads == [["a"], ["b"], ["c"]]
        reads.answered.set()
    assert reads.reads[3:] == [["d", "e"]]


@pytest.mark.parametrize("asks_again", ["a", "b", "c"])
async def test_a_job_that_asks_just_as_all_reads_end_is_answered(
    memory: JobMemory, reads: HeldReads, asks_again: str
) -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for job_id in "abc":
            group.create_task((ask_twice if job_id == asks_again else JobMemory.recall)(memory, job_id))
            await let_run()
        reads.answered.set()
    assert reads.reads[3:] == [[asks_again]]
