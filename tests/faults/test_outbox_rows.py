"""Jobs of the callers' own transactions, while workers are killed, Redis is away and the oplog rolls over."""

import asyncio
import os

import pytest

from producers.outbox import HospitalOutbox
from tests.faults.conftest import OpenStand
from tests.faults.outbox_run import JOBS_PER_HOSPITAL, OutboxRun
from tests.faults.rows import Row

COMMITTED = int(os.environ.get("OUTBOX_COMMITTED", "2000"))
ABORTED = int(os.environ.get("OUTBOX_ABORTED", "200"))
KILLS = int(os.environ.get("OUTBOX_KILLS", "10"))
AWAY_S = float(os.environ.get("OUTBOX_AWAY", "5"))
# Jobs run at 100 a second at least; a killed worker's jobs run again when their leases have ended.
LIMIT_S = 240 + AWAY_S + COMMITTED / 50 + KILLS * 10
LAGS, MOST_LAG_MS = 300, 100


@pytest.mark.long
@pytest.mark.timeout(LIMIT_S)
async def test_row_55_jobs_of_transactions_whose_relays_are_killed(open_stand: OpenStand, row: Row) -> None:
    async with (
        open_stand(WORKER_LEASE="2", REDIS_TIMEOUT="1") as stand,
        HospitalOutbox.connect(stand.settings) as outbox,
    ):
        run = OutboxRun(stand, outbox, hospitals=COMMITTED // JOBS_PER_HOSPITAL)
        await run.begin()
        writing = asyncio.create_task(run.write(COMMITTED, ABORTED))
        try:
            moments = sorted(stand.rng.randrange(COMMITTED) for _ in range(KILLS))
            for number, moment in enumerate(moments):
                await run.until_committed(moment, writing, LIMIT_S)
                if number == KILLS // 3:
                    await run.take_redis_away(AWAY_S)
                if number == KILLS * 2 // 3:
                    row.notes["bytes that the oplog took"] = await run.roll_oplog_over()
                await run.kill_relay()
            await writing
        finally:
            writing.cancel()
        await run.until_empty(LIMIT_S)
        await run.check()
        # Without a fault, from the answer to the commit until the job has started.
        lags_ms = await run.lags_ms(LAGS, first=COMMITTED)
        row.notes |= {f"lag p{share}, ms": round(lags_ms[LAGS * share // 100]) for share in (50, 99)}
        assert lags_ms[LAGS * 99 // 100] <= MOST_LAG_MS
