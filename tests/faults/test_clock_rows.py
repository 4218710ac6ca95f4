"""Workers and producers whose clocks are hours apart."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from tests.acceptance.conftest import WorkerRun
from tests.faults.conftest import OpenStand
from tests.faults.faulty_jobs import has_run, open_gate, put_faulty, runs
from tests.faults.injectors.clocks import shift_clocks
from tests.faults.injectors.processes import sigkill
from tests.faults.load import record
from tests.faults.stand import Stand
from worker.contract import REGISTER_HOSPITAL, RegisterHospital
from worker.queue import keys
from worker.queue.heartbeats import read_heartbeats, redis_time

SHIFTED = "tests.faults.settings.shifted.WorkerSettings"
HOUR_S = 3_600
DELAYED_BY_AT_MOST_S = 1.0
DEFERRED_S = 1.0
LEASE_S = 2.0


@contextmanager
def _shifted(seconds: float) -> Iterator[None]:
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
    assert await stand.is_ready(wrong)


@pytest.mark.long
@pytest.mark.parametrize("shift_s", [HOUR_S, -HOUR_S])
async def test_row_32_leases_by_clocks_two_hours_apart(open_stand: OpenStand, shift_s: int) -> None:
    async with open_stand(WORKER_LEASE=f"{LEASE_S:g}", REDIS_TIMEOUT="1") as stand:
        wrong = await stand.worker(SHIFTED, CLOCK_SHIFT=str(shift_s))
        # Two workers renew their leases by clocks that are two hours apart, and neither takes the other's jobs.
        await put_faulty(stand, "held", count=10)
        await has_run(stand, 10)
        other = await stand.worker(SHIFTED, CLOCK_SHIFT=str(-shift_s))
        await _renewed(stand, LEASE_S + 1)
        assert await runs(stand) == 10
        # Of one that has died they are taken when they have run out.
        await sigkill(wrong)
        killed = time.monotonic()
        stand.row.faults += 1
        await has_run(stand, 20)
        assert LEASE_S / 2 < time.monotonic() - killed < LEASE_S + DELAYED_BY_AT_MOST_S
        await open_gate(stand)
        account = await stand.balance()
        assert (account.applied, account.dead) == (10, 0)
        assert await stand.is_ready(other)


async def _assert_clock_is_wrong(stand: Stand, worker: WorkerRun, shift_s: float) -> None:
    (said,) = [said for said in await read_heartbeats(stand.redis) if said.pid == worker.pid]
    assert abs(said.started_at - said.at - timedelta(seconds=shift_s)) < timedelta(minutes=1)


async def _assert_starts_in_time(stand: Stand, number: int, producer_shift_s: float, *, delay: float) -> None:
    """Enqueue a registration by a wrong clock; it must be done neither early nor late."""
    payload = RegisterHospital(record=record(number), actor="faults", reason="the suite")
    with _shifted(producer_shift_s):
        receipt = await stand.producer_client.enqueue(REGISTER_HOSPITAL, payload, delay=delay)
        enqueued = time.monotonic()
    stand.ledger.accept("register", receipt.job_id, f"faults:{number}")
    await stand.result(receipt.job_id)
    took_s = time.monotonic() - enqueued
    stand.row.paused(took_s - delay)
    assert delay - 0.1 < took_s < delay + DELAYED_BY_AT_MOST_S
    status = await stand.producer_client.status(receipt.job_id)
    assert status.enqueued_at is not None
    told_shift_s = (status.enqueued_at - await redis_time(stand.redis)).total_seconds()
    assert abs(told_shift_s - producer_shift_s) < 60


async def _renewed(stand: Stand, seconds: float) -> None:
    """Wait until leases have been renewed that end later than those of now would by so many seconds."""

    async def latest() -> float:
        queue = "arq:queue" + keys.LEASED_SUFFIX
        return max(float(end) for _, end in await stand.redis.zrange(queue, 0, -1, withscores=True))

    wanted = await latest() + 1000 * seconds

    async def reached() -> bool:
        return await latest() >= wanted

    await stand.until(reached)
