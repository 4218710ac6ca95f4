"""An import while its producer, its workers and Redis are killed."""

import asyncio
import os
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.faults.conftest import OpenStand
from tests.faults.import_run import ImportRun
from tests.faults.rows import Row

ROWS = int(os.environ.get("IMPORT_ROWS", "20000"))
KILLS = int(os.environ.get("IMPORT_KILLS", "5"))
# After each kill the producer may have to read the whole file twice.
LIMIT_S = 120 + ROWS * (KILLS + 5) // 10_000
# Which processes are killed at once.
VICTIMS = (
    ("producer",),
    ("worker",),
    ("redis",),
    ("worker", "worker"),
    ("redis", "producer"),
    ("worker", "worker", "redis", "producer"),
)


@pytest.mark.long
@pytest.mark.timeout(LIMIT_S)
async def test_row_53_an_import_whose_processes_are_killed(open_stand: OpenStand, row: Row, tmp_path: Path) -> None:
    async with open_stand(WORKER_LEASE="2", REDIS_TIMEOUT="1") as stand:
        run = ImportRun(stand, tmp_path, ROWS)
        # Spread over the import, and one when its last chunk has ended.
        moments = [*(stand.rng.randrange(run.chunks) for _ in range(KILLS - 1)), run.chunks]
        async with aclosing(run):
            for ended in sorted(moments):
                await run.until_ended(ended, LIMIT_S)
                await asyncio.sleep(stand.rng.uniform(0, 0.05 if ended else 1))
                await run.kill(stand.rng.choice(VICTIMS))
            await run.until_over(LIMIT_S)
            await run.check()
    assert row.applied == ROWS
