"""Commits that fail, whose end is unknown, or that are answered with an error although they were applied.

How often a transaction's body ran is told by the server: each run starts a transaction.
"""

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from tests.faults.conftest import OpenStand
from tests.faults.injectors.fail_command import fail_command
from tests.faults.load import record
from tests.faults.stand import Stand, logged_jobs
from worker.contract import RegistrationOutcome

COMMIT = ["commitTransaction"]
# A time-out of the write concern, a server that shuts down, a write concern that no member set can satisfy.
APPLIED_ALL_THE_SAME = (64, 91, 100)
FIFTY_WITHIN_S = 2.0


async def _transactions(stand: Stand) -> int:
    """How many transactions were ever started."""
    (member,) = stand.mongo_server.members
    return int((await member.command("serverStatus"))["transactions"]["totalStarted"])


def _is_run_again(failure: dict[str, Any]) -> bool:
    return "TransientTransactionError" in failure.get("errorLabels", ())


async def _register(stand: Stand, jobs: int, *, failures: int, **failure: Any) -> int:
    """Register hospitals at once while as many commits fail; return how often bodies were run."""
    (member,) = stand.mongo_server.members
    before = await _transactions(stand)
    async with fail_command(member, COMMIT, mode={"times": failures}, **failure) as injected:
        await stand.load().put_many("register", jobs)
        await stand.ledger.settle(30)
    # Commits that come at the same moment as the last to fail can fail beside it; each has a body more.
    assert failures <= injected.times < failures + jobs
    stand.row.faults += injected.times
    return await _transactions(stand) - before - (injected.times - failures) * _is_run_again(failure)


async def _all_registered_at_first_try(stand: Stand) -> None:
    account = await stand.balance()
    assert account.dead == 0
    assert await stand.ledger.tries() == {1: account.accepted}


async def test_row_19_transient_error_on_commit(stand: Stand) -> None:
    await stand.worker()
    failure = {"errorCode": 112, "errorLabels": ["TransientTransactionError"]}
    assert await _register(stand, 1, failures=5, **failure) == 1 + 5
    assert await _register(stand, 20, failures=100, **failure) == 20 + 100
    await _all_registered_at_first_try(stand)


async def test_row_20_unknown_commit_result(stand: Stand) -> None:
    await stand.worker()
    unknown = {"errorCode": 64, "errorLabels": ["UnknownTransactionCommitResult"]}
    assert await _register(stand, 1, failures=3, **unknown) == 1
    assert await _register(stand, 20, failures=60, **unknown) == 20
    await _all_registered_at_first_try(stand)


async def test_row_20_connection_closed_at_commit(stand: Stand) -> None:
    await stand.worker()
    assert await _register(stand, 1, failures=3, closeConnection=True) == 1
    # A closed connection has the driver drop all others too: transactions before their commit begin anew.
    assert await _register(stand, 20, failures=3, closeConnection=True) >= 20
    await _all_registered_at_first_try(stand)


async def test_row_21_commit_applied_but_answered_with_an_error(stand: Stand) -> None:
    await stand.worker()
    for code in APPLIED_ALL_THE_SAME:
        unconfirmed = {"code": code, "errmsg": "injected"}
        assert await _register(stand, 1, failures=2, writeConcernError=unconfirmed) == 1
    assert await _register(stand, 20, failures=60, writeConcernError={"code": 64, "errmsg": "injected"}) == 20
    await _all_registered_at_first_try(stand)


@pytest.mark.long
async def test_row_21_commit_never_confirmed_within_a_run(open_stand: OpenStand) -> None:
    async with open_stand(WORKER_JOB_TIMEOUT="1") as stand:
        worker = await stand.worker()
        (member,) = stand.mongo_server.members
        load = stand.load()
        unconfirmed = {"code": 64, "errmsg": "injected"}
        async with fail_command(member, COMMIT, writeConcernError=unconfirmed) as injected:
            await load.put_many("register", 5)
            # Each has met the deadline of its run, though its transaction was applied long before.
            await stand.until(lambda: logged_jobs(worker.log, "job_retry") >= set(stand.ledger.accepted))
            assert await stand.ledger.effects() == 2 * 5
        stand.row.faults += injected.times
        await _all_registered_at_first_try(stand)
        results = [await stand.result(job_id) for job_id in stand.ledger.accepted]
        assert [result["r"]["status"] for result in results] == ["registered"] * 5


async def _fifty_at_once(stand: Stand, number: int) -> float:
    """Register one hospital fifty times; return how many seconds passed until the last outcome was told."""
    wanted = record(number)

    async def register(attempt: int) -> tuple[str, RegistrationOutcome]:
        receipt = await stand.producer_client.register_hospital(
            wanted, actor=f"actor-{attempt}", reason="the suite"
        )
        return receipt.job_id, await receipt.outcome(timeout=30)

    started = time.monotonic()
    told = await asyncio.gather(*(register(attempt) for attempt in range(50)))
    seconds = time.monotonic() - started
    assert Counter((told.status, told.reason) for _, told in told) == {
        ("registered", None): 1,
        ("conflict", "already_registered"): 49,
    }
    (winner,) = [job_id for job_id, outcome in told if outcome.status == "registered"]
    stand.ledger.accept("register", winner, wanted.hospital_id)
    entries = stand.database["logs"].find({"hospital_id": wanted.hospital_id}).sort("seq", 1)
    events = [(entry["seq"], entry["event"]) async for entry in entries]
    rejected = [(place, "registration_rejected") for place in range(2, 51)]
    assert events == [(1, "registered"), *rejected]
    return seconds


@pytest.mark.long
async def test_row_22_fifty_registrations_of_one_hospital(stand: Stand) -> None:
    await stand.worker()
    within_one_process = await _fifty_at_once(stand, 1)
    await stand.worker()
    across_two = await _fifty_at_once(stand, 2)
    stand.row.faults = 98
    stand.row.notes["seconds"] = round(max(within_one_process, across_two), 2)
    assert within_one_process < FIFTY_WITHIN_S
    assert across_two < FIFTY_WITHIN_S
    account = await stand.balance()
    assert account.dead == 0
