"""Jobs that raise errors which are hard to describe or to store."""

import asyncio

from tests.faults.conftest import OpenStand
from tests.faults.injectors.errors import ERRORS
from worker.queue import keys

RAISING = "tests.faults.settings.raising.WorkerSettings"
# A dead letter holds the payload, and of an error a bounded text.
LARGEST_RECORD = 64 * 1024


async def test_row_51_errors_that_are_hard_to_serialise(open_stand: OpenStand) -> None:
    async with open_stand() as stand:
        worker = await stand.worker(RAISING)
        load = stand.load()
        jobs = {kind: f"raising {number}" for number, kind in enumerate(ERRORS)}
        for kind, job_id in jobs.items():
            await stand.put("raising", kind, job_id=job_id)
            stand.row.faults += 1
        await asyncio.gather(load.put_many("ingest", 50), load.put_many("register", 20))

        async def all_dead() -> bool:
            return int(await stand.redis.hlen(keys.DEAD)) == len(jobs)

        await stand.until(all_dead)
        account = await stand.balance()
        assert (account.applied, account.dead) == (70, 0)
        for kind, job_id in jobs.items():
            letter = await stand.redis.hget(keys.DEAD, job_id)
            assert letter is not None, kind
            result = await stand.redis.get(keys.RESULT + job_id) or b""
            assert len(letter) + len(result) < LARGEST_RECORD, kind
            assert b"the worker process died" not in letter, kind
        # Each ended its own job only: no worker counts as crashed, and this one still works.
        assert await stand.redis.hlen(keys.CRASHES) == 0
        assert worker.process.returncode is None
        await stand.until(lambda: stand.is_ready(worker))
        shown = worker.log
        assert len(shown) < 1_000_000
        assert "\x1b[2J" not in shown
        assert "\u202e" not in shown
