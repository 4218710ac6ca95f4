"""How jobs of a real worker ended, from its completions over Redis to what stores them."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from arq.worker import func

from tests.integration.engine.conftest import Bench, Gate
from worker.contract.job_ends import EndGroup, PastEnd
from worker.errors import OutageError
from worker.queue import keys


class Store:
    """Keeps what it is given, once it is open."""

    def __init__(self) -> None:
        self.ends: list[PastEnd] = []
        self.is_open = asyncio.Event()

    async def __call__(self, groups: Sequence[EndGroup]) -> None:
        if not self.is_open.is_set():
            raise OutageError("MongoDB is unavailable")
        self.ends += [past for group in groups for past in group.ends()]

    def of(self, *job_ids: str) -> dict[str, str]:
        return {past.end.job_id: past.end.outcome for past in self.ends if past.end.job_id in job_ids}


async def fine(_ctx: dict[str, Any]) -> None:
    """Succeed."""


async def bad(_ctx: dict[str, Any]) -> None:
    raise ValueError("a patient")


async def test_every_end_reaches_the_store_once(own_bench: Bench) -> None:
    bench, store, gate = own_bench, Store(), Gate()
    many = [await bench.put("fine") for _ in range(500)]
    dead, aborted = await bench.put("bad"), await bench.put("gated")
    async with bench.serving(
        *(func(cast(Any, fine), name="fine"), func(cast(Any, bad), name="bad"), gate.function()),
        open_history=lambda _: store,
    ) as worker:
        await bench.until(lambda: gate.running)
        assert await bench.job(aborted).abort(timeout=5, poll_delay=0.05)
        await bench.dead_letter(dead)
        await bench.until(lambda: worker.jobs_complete == 500)
        assert store.ends == []
        store.is_open.set()
        await bench.until(lambda: len(store.of(*many)) == 500)
        await bench.until(lambda: store.of(dead, aborted) == {dead: "dead", aborted: "aborted"})
        assert {past.worker for past in store.ends} == {worker.worker_id}
    assert len(store.ends) == 502
    assert not await bench.redis.xlen(keys.ENDED)


async def test_without_a_store_nothing_is_kept(own_bench: Bench) -> None:
    await own_bench.put("fine")

    await own_bench.burst(func(cast(Any, fine), name="fine"))

    assert not await own_bench.redis.exists(keys.ENDED)


@pytest.mark.parametrize("taken", ["set", "lpush"])
async def test_a_key_of_another_type_keeps_no_job_from_ending(own_bench: Bench, taken: str) -> None:
    store = Store()
    store.is_open.set()
    async with own_bench.serving(func(cast(Any, fine), name="fine"), open_history=lambda _: store) as worker:
        await own_bench.redis.execute_command(taken, keys.ENDED, "foreign")
        await own_bench.put("fine")
        await own_bench.until(lambda: worker.jobs_complete == 1)
        await own_bench.redis.delete(keys.ENDED)
        later = await own_bench.put("fine")
        await own_bench.until(lambda: store.of(later))
    assert [past.end.job_id for past in store.ends] == [later]
