"""Jobs that do to their own process what only the worker may do: its event loop, its connections, its place."""

import json
import os
from pathlib import Path

import pytest

from tests.faults.conftest import OpenStand
from tests.faults.faulty_jobs import count_runs, open_gate, put_faulty, wait_for_runs
from tests.faults.stand import Stand
from worker.queue import keys

TAMPERING = "tests.faults.settings.tampering.WorkerSettings"


@pytest.mark.parametrize("function", ["cancelling", "gathering", "stopping"])
async def test_row_56_a_job_that_tampers_with_the_event_loop(stand: Stand, function: str) -> None:
    worker = await stand.worker(TAMPERING)
    await put_faulty(stand, "held", count=5)
    await wait_for_runs(stand, 5)
    (job_id,) = await put_faulty(stand, function)
    stand.row.faults += 1
    await stand.result(job_id)
    # Neither the worker nor the jobs beside it have noticed.
    await put_faulty(stand, "held")
    await wait_for_runs(stand, 6)
    await open_gate(stand)
    account = await stand.balance()
    assert (account.applied, account.dead) == (7, 0)
    assert await count_runs(stand) == 6
    assert (await stand.ledger.tries()).keys() == {1}
    assert await stand.redis.hlen(keys.CRASHES) == 0
    await stand.until(lambda: stand.is_ready(worker))


async def test_row_56_a_child_that_leaves_the_job_that_forked_it(stand: Stand) -> None:
    worker = await stand.worker(TAMPERING)
    await put_faulty(stand, "held", count=5)
    await wait_for_runs(stand, 5)
    codes = {"exit": 7, "raise": 1, "return": 0}
    async with stand.load(per_second=50, amended=3):
        for how, code in codes.items():
            (job_id,) = await put_faulty(stand, "forking", how)
            stand.row.faults += 1
            await stand.result(job_id)
            assert int(await stand.redis.get(f"child:{how}")) == code
    await open_gate(stand)
    account = await stand.balance()
    assert account.dead == 0
    # A child that had gone on would have handed these back.
    assert await count_runs(stand) == 5
    assert "action=completion_refused" not in worker.log
    await stand.until(lambda: stand.is_ready(worker))


async def test_row_56_jobs_that_close_the_shared_redis_client(stand: Stand) -> None:
    worker = await stand.worker(TAMPERING)
    async with stand.load(per_second=100, amended=3):
        for _ in range(10):
            await put_faulty(stand, "closing")
            stand.row.faults += 1
            await stand.effects_grow_by(10)
    account = await stand.balance()
    assert account.dead == 0
    assert int(await stand.redis.get("closed")) >= 10
    await stand.until(lambda: stand.is_ready(worker))


async def test_row_56_a_job_that_changes_the_working_directory(open_stand: OpenStand, tmp_path: Path) -> None:
    folder = tmp_path / "dead"
    folder.mkdir()
    async with open_stand(WORKER_DEAD_LETTER_FOLDER=os.path.relpath(folder), WORKER_DEAD_LETTER_COUNT="0") as stand:
        worker = await stand.worker(TAMPERING)
        (moving,) = await put_faulty(stand, "moving")
        await stand.result(moving)
        (exiting,) = await put_faulty(stand, "exiting", "exit")
        stand.row.faults += 1
        await stand.until(lambda: "action=dead_letters_moved" in worker.log, 30)
        (file,) = folder.iterdir()
        assert [json.loads(line)["job_id"] for line in file.read_text().splitlines()] == [exiting]
        assert "action=dead_letters_not_moved" not in worker.log
        stand.row.dead += 1
