import asyncio

import pytest

from worker.mongo.chunk_locks import ChunkLocks


class Chunks:
    """Chunks that wait until they may end; `begun` and `ended` have them in the order in which they did."""

    def __init__(self) -> None:
        self._locks = ChunkLocks()
        self.begun: list[str] = []
        self.may_end: dict[str, asyncio.Event] = {}

    async def run(self, name: str, *hospital_ids: str) -> None:
        self.may_end[name] = asyncio.Event()
        async with self._locks.hold(set(hospital_ids)):
            self.begun.append(name)
            await self.may_end[name].wait()


async def let_run() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_only_chunks_that_share_a_hospital_wait_for_each_other() -> None:
    chunks = Chunks()
    async with asyncio.TaskGroup() as group:
        for name, ids in (("first", "ab"), ("same", "bc"), ("other", "de"), ("both", "ce")):
            group.create_task(chunks.run(name, *ids))
        await let_run()
        assert chunks.begun == ["first", "other"]
        chunks.may_end["first"].set()
        await let_run()
        assert chunks.begun == ["first", "other", "same"]
        chunks.may_end["other"].set()
        await let_run()
        # It shares a hospital with the one that began meanwhile, too.
        assert chunks.begun == ["first", "other", "same"]
        chunks.may_end["same"].set()
        await let_run()
        assert chunks.begun == ["first", "other", "same", "both"]
        chunks.may_end["both"].set()


@pytest.mark.parametrize("waiting", [True, False])
async def test_a_chunk_that_fails_or_is_cancelled_releases_its_hospitals(*, waiting: bool) -> None:
    chunks = Chunks()
    tasks = [asyncio.create_task(chunks.run(name, "a")) for name in ("first", "second", "third")]
    await let_run()
    assert chunks.begun == ["first"]
    tasks[1 if waiting else 0].cancel()
    if waiting:
        chunks.may_end["first"].set()
    await let_run()
    assert chunks.begun == ["first", "third" if waiting else "second"]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
