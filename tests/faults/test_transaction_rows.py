"""Commits that fail, whose result is unknown, or that return an error although they were applied.

The server's counter shows how often a transaction's body ran: each run starts a transaction.
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
# Write concern timeout, server shutting down, write concern that no set of members can satisfy.
APPLIED_DESPITE_ERROR = (64, 91, 100)
FIFTY_WITHIN_S = 2.0


async def _transactions(stand: Stand) -> int:
    """Return how many transactions the server has ever started."""
    (member,) = stand.mongo_server.members
    return int((await member.command("serverStatus"))["transactions"]["totalStarted"])


def _reruns_the_body(failure: dict[str, Any]) -> bool:
    return "TransientTransactionError" in failure.get("errorLabels", ())


async def _register(stand: Stand, jobs: int, *, failures: int, **failure: Any) -> int:
    """Register hospitals concurrently while `failures` commits fail; return how often their bodies ran."""
    (member,) = stand.mongo_server.members
    before = await _transactions(stand)
    async with fail_command(member, COMMIT, mode={"times": failures}, **failure) as injected:
        await stand.load().put_many("register", jobs)
        await stand.ledger.settle(30)
    # Commits that arrive together with the last failing one can fail too; each of these runs its body once more.
    assert failures <= injected.times < failures + jobs
    stand.row.faults += injected.times
    return await _transactions(stand) - before - (injected.times - failures) * _reruns_the_body(failure)


async def _assert_all_registered_on_first_try(stand: Stand) -> None:
    account = await stand.balance()
    assert account.dead == 0
    assert await stand.ledger.tries() == {1: account.accepted}


async def test_row_19_transient_error_on_commit(stand: Stand) -> None:
    await stand.worker()
    failure = {"errorCode": 112, "errorLabels": ["TransientTransactionError"]}
    assert await _register(stand, 1, failures=5, **failure) == 1 + 5
    assert await _register(stand, 20, failures=100, **failure) == 20 + 100
    await _assert_all_registered_on_first_try(stand)


async def test_row_20_unknown_commit_result(stand: Stand) -> None:
    await stand.worker()
    unknown = {"errorCode": 64, "errorLabels": ["UnknownTransactionCommitResult"]}
    assert await _register(stand, 1, failures=3, **unknown) == 1
    assert await _register(stand, 20, failures=60, **unknown) == 20
    await _assert_all_registered_on_first_try(stand)


async def test_row_20_connection_closed_at_commit(stand: Stand) -> None:
    await stand.worker()
    assert await _register(stand, 1, failures=3, closeConnection=True) == 1
    # On a closed connection the driver drops all others too, so transactions before their commit start again.
    assert await _register(stand, 20, failures=3, closeConnection=True) >= 20
    await _assert_all_registered_on_first_try(stand)


async def test_row_21_commit_applied_but_answered_with_an_error(stand: Stand) -> None:
    await stand.worker()
    for code in APPLIED_DESPITE_ERROR:
        unconfirmed = {"code": code, "errmsg": "injected"}
        assert await _register(stand, 1, failures=2, writeConcernError=unconfirmed) == 1
    assert await _register(stand, 20, failures=60, writeConcernError={"code": 64, "errmsg": "injected"}) == 20
    await _assert_all_registered_on_first_try(stand)


@pytest.mark.long
async def test_row_21_commit_never_confirmed_within_a_run(open_stand: OpenStand) -> None:
    async with open_stand(WORKER_JOB_TIMEOUT="1") as stand:
        worker = await stand.worker()
        (member,) = stand.mongo_server.members
        load = stand.load()
        unconfirmed = {"code": 64, "errmsg": "injected"}
        async with fail_command(member, COMMIT, writeConcernError=unconfirmed) as injected:
            await load.put_many("register", 5)
            # Each run hit its deadline, although its transaction had been applied long before.
            await stand.until(lambda: logged_jobs(worker.log, "job_retried") >= set(stand.ledger.accepted))
            assert await stand.ledger.effects() == 2 * 5
        stand.row.faults += injected.times
        await _assert_all_registered_on_first_try(stand)
        results = [await stand.result(job_id) for job_id in stand.ledger.accepted]
        assert [result["r"]["status"] for result in results] == ["registered"] * 5


async def _register_fifty_times(stand: Stand, number: int) -> float:
    """Register one hospital fifty times at once; return the seconds until the last outcome arrived."""
    hospital = record(number)

    async def register(attempt: int) -> tuple[str, RegistrationOutcome]:
        receipt = await stand.producer_client.register_hospital(
            hospital, actor=f"actor-{attempt}", reason="the suite"
        )
        return receipt.job_id, await receipt.outcome(timeout=30)

    started = time.monotonic()
    outcomes = await asyncio.gather(*(register(attempt) for attempt in range(50)))
    seconds = time.monotonic() - started
    assert Counter((outcome.status, outcome.reason) for _, outcome in outcomes) == {
        ("registered", None): 1,
        ("conflict", "already_registered"): 49,
    }
    (winner,) = [job_id for job_id, outcome in outcomes if outcome.status == "registered"]
    stand.ledger.accept("register", winner, hospital.hospital_id)
    entries = stand.database["logs"].find({"hospital_id": hospital.hospital_id}).sort("seq", 1)
    events = [(entry["seq"], entry["event"]) async for entry in entries]
    rejected = [(place, "registration_rejected") for place in range(2, 51)]
    assert events == [(1, "registered"), *rejected]
    return seconds


@pytest.mark.long
async def test_row_22_fifty_registrations_of_one_hospital(stand: Stand) -> None:
    await stand.worker()
    within_one_process = await _register_fifty_times(stand, 1)
    await stand.worker()
    across_two = await _register_fifty_times(stand, 2)
    stand.row.faults = 98
    stand.row.notes["seconds"] = round(max(within_one_process, across_two), 2)
    assert within_one_process < FIFTY_WITHIN_S
    assert across_two < FIFTY_WITHIN_S
    account = await stand.balance()
    assert account.dead == 0
