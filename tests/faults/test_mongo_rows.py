"""MongoDB killed, stepped down, or without a majority, under load."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from pymongo.errors import AutoReconnect, OperationFailure

from tests.acceptance.conftest import WorkerRun
from tests.faults.conftest import OpenStand
from tests.faults.ledger import Account
from tests.faults.stand import Stand
from worker.embedded.processes import together

PAUSE_OF_AN_ELECTION_S = 5.0
# From a kill to the new primary's first write if the members agree at once: they wait for 2 s and up to 15 % more.
# If their votes are split, which is chance, they wait again.
ONE_ELECTION_S = 3.0
PAUSE_OF_A_STEP_DOWN_S = 2.0
RESUMED_WITHIN_S = 5.0
KILLS_APART_S = 15.0


async def _check_survival(stand: Stand, worker: WorkerRun) -> Account:
    """Balance the ledger: no dead letters, no extra tries, and the same worker process is ready again."""
    account = await stand.balance()
    assert account.dead == 0
    assert await stand.ledger.tries() == {1: account.accepted}
    await stand.until(lambda: stand.is_ready(worker))
    return account


async def _wait_until_outage_is_reported(stand: Stand, worker: WorkerRun) -> None:
    await stand.until(lambda: "action=circuit_breaker_opened" in worker.log)
    await stand.until(lambda: _is_unready(stand, worker))


async def _is_unready(stand: Stand, worker: WorkerRun) -> bool:
    return not await stand.is_ready(worker)


async def _kill_only_member(stand: Stand, times: int, *, until_reported: bool) -> float:
    """Kill and restart the member; return the seconds from its return to the next effect."""
    worker = await stand.worker()
    (member,) = stand.mongo_server.members
    returned = []
    async with stand.load(per_second=60) as load:
        for _ in range(times):
            await stand.effects_grow_by(50)
            await member.kill()
            stand.row.faults += 1
            if until_reported:
                await _wait_until_outage_is_reported(stand, worker)
            await member.start()
            returned.append(datetime.now(UTC))
            await stand.effects_grow_by(50)
    account = await _check_survival(stand, worker)
    resumed_after_s = max(account.resumed_after_s(at) for at in returned)
    stand.row.notes["resumed after s"] = round(resumed_after_s, 2)
    stand.pause_s(account, load.began, load.ended)
    return resumed_after_s


async def test_row_15_the_only_member_killed(stand: Stand) -> None:
    assert await _kill_only_member(stand, times=1, until_reported=False) < RESUMED_WITHIN_S


@pytest.mark.long
async def test_row_15_the_only_member_killed_for_longer_than_commands_wait(stand: Stand) -> None:
    assert await _kill_only_member(stand, times=2, until_reported=True) < RESUMED_WITHIN_S


async def _pause_of_kills(stand: Stand, times: int, apart_s: float) -> float:
    """Kill and restart primaries; return the longest pause, in seconds, without what a split vote adds to it."""
    worker = await stand.worker()
    repeated_s = 0.0
    async with stand.load(per_second=60) as load:
        for _ in range(times):
            next_kill = asyncio.get_running_loop().time() + apart_s
            await stand.effects_grow_by(50)
            primary = await stand.mongo_server.primary()
            killed = datetime.now(UTC)
            await primary.kill()
            stand.row.faults += 1
            await stand.effects_grow_by(50)
            status = await stand.database.client.admin.command("replSetGetStatus")
            elected = status["electionCandidateMetrics"]["newTermStartDate"].replace(tzinfo=UTC)
            repeated_s = max(repeated_s, (elected - killed).total_seconds() - ONE_ELECTION_S)
            await primary.start()
            await stand.mongo_server.ready()
            await asyncio.sleep(max(0.0, next_kill - asyncio.get_running_loop().time()))
    account = await _check_survival(stand, worker)
    if repeated_s:
        stand.row.notes["longer election s"] = round(repeated_s, 2)
    return stand.pause_s(account, load.began, load.ended) - repeated_s


@pytest.mark.long
async def test_row_16_primary_killed(open_stand: OpenStand) -> None:
    async with open_stand(members=3) as stand:
        assert await _pause_of_kills(stand, times=1, apart_s=0) < PAUSE_OF_AN_ELECTION_S


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_row_16_primary_killed_every_15_s(open_stand: OpenStand) -> None:
    async with open_stand(members=3) as stand:
        assert await _pause_of_kills(stand, times=4, apart_s=KILLS_APART_S) < PAUSE_OF_AN_ELECTION_S


async def _pause_of_step_downs(stand: Stand, times: int) -> float:
    """Make primaries step down; return the longest pause, in seconds."""
    worker = await stand.worker()
    async with stand.load(per_second=60) as load:
        for _ in range(times):
            await stand.effects_grow_by(30)
            primary = await stand.mongo_server.primary()
            answered = len(stand.ledger.accepted) + 50
            # The primary must step down during many transactions.
            burst = asyncio.create_task(load.put_many("register", 200))
            await stand.until(lambda: len(stand.ledger.accepted) >= answered)  # noqa: B023 (awaited right here)
            with suppress(AutoReconnect):
                # The primary may close the connection that sent it this command.
                await primary.command("replSetStepDown", 10, secondaryCatchUpPeriodSecs=5)
            stand.row.faults += 1
            assert await stand.mongo_server.primary() is not primary
            await burst
            await stand.effects_grow_by(30)
            await stand.mongo_server.ready()
            # Let it be elected again at once: otherwise the next step-down would leave no candidate.
            await primary.command("replSetFreeze", 0)
    account = await _check_survival(stand, worker)
    return stand.pause_s(account, load.began, load.ended)


@pytest.mark.long
async def test_row_17_step_down(open_stand: OpenStand) -> None:
    async with open_stand(members=3) as stand:
        assert await _pause_of_step_downs(stand, times=1) < PAUSE_OF_A_STEP_DOWN_S


@pytest.mark.long
async def test_row_17_step_down_that_fails(stand: Stand) -> None:
    worker = await stand.worker()
    (member,) = stand.mongo_server.members
    returns: list[datetime] = []
    async with stand.load(per_second=60) as load:
        for pause_s in (0.0, 0.05, 0.1):
            answered = len(stand.ledger.accepted) + 20
            burst = asyncio.create_task(load.put_many("register", 200))
            await stand.until(lambda: len(stand.ledger.accepted) >= answered)  # noqa: B023 (awaited right here)
            # Vary the delay, so that new connections open at different moments of the step-down.
            await asyncio.sleep(pause_s)
            with pytest.raises(OperationFailure, match="No electable secondaries"):
                # The member accepts no writes during this second.
                await member.command("replSetStepDown", 2, secondaryCatchUpPeriodSecs=1)
            returns.append(datetime.now(UTC))
            stand.row.faults += 1
            await burst
            await stand.effects_grow_by(20)
    account = await _check_survival(stand, worker)
    stand.pause_s(account, load.began, load.ended)
    # After a refusal, a driver checks the server again no sooner than half a second after its last check, and may
    # then find it still refusing.
    resumed_after_s = max(account.resumed_after_s(returned) for returned in returns)
    stand.row.notes["resumed after s"] = round(resumed_after_s, 2)
    assert resumed_after_s < PAUSE_OF_A_STEP_DOWN_S


@pytest.mark.long
async def test_row_17_repeated_step_downs(open_stand: OpenStand) -> None:
    async with open_stand(members=3) as stand:
        assert await _pause_of_step_downs(stand, times=5) < PAUSE_OF_A_STEP_DOWN_S


async def _lose_majority(stand: Stand, down_s: float) -> float:
    """Kill two members for `down_s`; return the seconds from the set's return to the first effect."""
    worker = await stand.worker()
    stopped = stand.rng.sample(stand.mongo_server.members, k=2)
    async with stand.load(per_second=40) as load:
        await stand.effects_grow_by(20)
        await together(*(member.kill() for member in stopped))
        stand.row.faults += 1
        # This sleep is the injected outage; it does not wait for a condition.
        await asyncio.sleep(down_s)
        await _wait_until_outage_is_reported(stand, worker)
        await together(*(member.start() for member in stopped))
        await stand.mongo_server.ready()
        returned = datetime.now(UTC)
        await stand.effects_grow_by(20)
    account = await _check_survival(stand, worker)
    assert "action=circuit_breaker_closed" in worker.log
    resumed_after_s = account.resumed_after_s(returned)
    stand.row.notes["resumed after s"] = round(resumed_after_s, 2)
    # A shorter pause would mean that there was a majority throughout.
    assert stand.pause_s(account, load.began, load.ended) > down_s / 2
    return resumed_after_s


@pytest.mark.long
async def test_row_18_majority_lost(open_stand: OpenStand) -> None:
    # Commands wait for less than the outage lasts, so that jobs fail during it.
    async with open_stand(members=3, MONGODB_SELECTION_TIMEOUT="1") as stand:
        assert await _lose_majority(stand, down_s=3) < RESUMED_WITHIN_S


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_row_18_majority_lost_for_30_s(open_stand: OpenStand) -> None:
    async with open_stand(members=3) as stand:
        assert await _lose_majority(stand, down_s=30) < RESUMED_WITHIN_S
