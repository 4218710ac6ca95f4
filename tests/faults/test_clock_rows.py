"""Workers and producers whose clocks differ by hours."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from tests.acceptance.conftest import WorkerRun
from tests.faults.conftest import OpenStand
from tests.faults.faulty_jobs import count_runs, open_gate, put_faulty, wait_for_runs
from tests.faults.injectors.clocks import shift_clocks
from tests.faults.injectors.processes import sigkill
from tests.faults.load import record
from tests.faults.stand import Stand
from worker.contract import REGISTER_HOSPITAL, RegisterHospital
from worker.queue import keys
from worker.queue.heartbeats import read_heartbeats, redis_time

SHIFTED = "tests.faults.settings.shifted.WorkerSettings"
HOUR_S = 3_600
# A wrong clock would make it an hour.
LONGEST_DELAY_S = 30.0
RECOVERED_WITHIN_S = 1.0
DEFERRED_S = 1.0
LEASE_S = 2.0


@contextmanager
def _with_shifted_clocks(seconds: float) -> Iterator[None]:
    undo = shift_clocks(seconds, ("arq", "producers", "worker"))
    try:
        yield
    finally:
        undo()


@pytest.mark.parametrize("ahead", ["worker", pytest.param("producer", marks=pytest.mark.long)])
async def test_row_32_clocks_two_hours_apart(stand: Stand, ahead: str) -> None:
    shift_s = HOUR_S if ahead == "worker" else -HOUR_S
    wrong = await stand.worker(SHIFTED, CLOCK_SHIFT=str(shift_s))
    await _assert_clock_is_wrong(stand, wrong, shift_s)
    stand.row.faults += 2
    for number in range(5):
        await _assert_starts_in_time(stand, number, -shift_s, delay=0)
    await _assert_starts_in_time(stand, 5, -shift_s, delay=DEFERRED_S)
    (dead,) = await put_faulty(stand, "exiting", "exit")
    account = await stand.balance()
    assert (account.applied, account.dead) == (6, 1)
    dead_letter = await stand.dead_letters.get(dead)
    now = await redis_time(stand.redis)
    assert abs(now.timestamp() - dead_letter.failure.at_ms / 1000) < 60
    await stand.until(lambda: stand.is_ready(wrong))


@pytest.mark.long
@pytest.mark.parametrize("shift_s", [HOUR_S, -HOUR_S])
async def test_row_32_leases_with_clocks_two_hours_apart(open_stand: OpenStand, shift_s: int) -> None:
    async with open_stand(WORKER_LEASE=f"{LEASE_S:g}", REDIS_TIMEOUT="1") as stand:
        wrong = await stand.worker(SHIFTED, CLOCK_SHIFT=str(shift_s))
        # Two workers whose clocks are two hours apart renew their leases; neither takes the other's jobs.
        await put_faulty(stand, "held", count=10)
        await wait_for_runs(stand, 10)
        other = await stand.worker(SHIFTED, CLOCK_SHIFT=str(-shift_s))
        await _wait_for_renewal(stand, LEASE_S + 1)
        assert await count_runs(stand) == 10
        # After one has died, its jobs are taken once their leases have expired.
        await sigkill(wrong)
        killed = time.monotonic()
        stand.row.faults += 1
        await wait_for_runs(stand, 20)
        assert LEASE_S / 2 < time.monotonic() - killed < LEASE_S + RECOVERED_WITHIN_S
        await open_gate(stand)
        account = await stand.balance()
        assert (account.applied, account.dead) == (10, 0)
        await stand.until(lambda: stand.is_ready(other))


async def _assert_clock_is_wrong(stand: Stand, worker: WorkerRun, shift_s: float) -> None:
    (heartbeat,) = [found for found in await read_heartbeats(stand.redis) if found.pid == worker.pid]
    assert abs(heartbeat.started_at - heartbeat.at - timedelta(seconds=shift_s)) < timedelta(minutes=1)


async def _assert_starts_in_time(stand: Stand, number: int, producer_shift_s: float, *, delay: float) -> None:
    """Enqueue a registration with a wrong clock; it must end neither early nor late."""
    payload = RegisterHospital(record=record(number), actor="faults", reason="the suite")
    with _with_shifted_clocks(producer_shift_s):
        receipt = await stand.producer_client.enqueue(REGISTER_HOSPITAL, payload, delay=delay)
        enqueued = time.monotonic()
    stand.ledger.accept("register", receipt.job_id, f"faults:h{number}")
    await stand.result(receipt.job_id, seconds=40)
    took_s = time.monotonic() - enqueued
    stand.row.note_pause(took_s - delay)
    assert delay - 0.1 < took_s < delay + LONGEST_DELAY_S
    status = await stand.producer_client.status(receipt.job_id)
    assert status.enqueued_at is not None
    reported_shift_s = (status.enqueued_at - await redis_time(stand.redis)).total_seconds()
    assert abs(reported_shift_s - producer_shift_s) < 60


async def _wait_for_renewal(stand: Stand, seconds: float) -> None:
    """Wait until renewed leases end this many seconds later than the latest of the current ones."""

    async def latest() -> float:
        queue = "arq:queue" + keys.LEASED_SUFFIX
        return max(float(end) for _, end in await stand.redis.zrange(queue, 0, -1, withscores=True))

    wanted = await latest() + 1000 * seconds

    async def reached() -> bool:
        return await latest() >= wanted

    await stand.until(reached)
