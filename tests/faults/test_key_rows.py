"""One answer for each idempotency key, also if it changed nothing, whatever happens to the hospital afterwards."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from producers.receipts import Receipt
from tests.faults.conftest import OpenStand
from tests.faults.injectors.fail_command import fail_command
from tests.faults.injectors.processes import frozen, sigkill
from tests.faults.load import record
from tests.faults.stand import Stand
from worker.contract import HospitalChanges
from worker.queue import keys

# Far above the numbers that a load uses.
HOSPITAL = 2_000_000_001
HOSPITAL_ID = f"faults:h{HOSPITAL}"
BY: Any = {"actor": "dr-ito", "reason": "licence 4711"}
OTHER_CHANGES = 25

Call = Callable[[], Awaitable[Receipt[Any]]]
Calls = list[tuple[Call, str]]
"""Calls with the status that each answers first; of a chunk the status of its only record."""


def _ingest(stand: Stand, mode: Any, beds: int, key: str | None) -> Call:
    wanted = record(HOSPITAL).model_copy(update={"beds": beds})
    return lambda: stand.producer_client.ingest_hospital(wanted, on_existing=mode, idempotency_key=key)


def _chunk(stand: Stand, mode: Any, beds: int, key: str) -> Call:
    rows = [record(HOSPITAL).model_copy(update={"beds": beds}).model_dump(mode="json", exclude_none=True)]
    return lambda: stand.producer_client.ingest_hospitals(rows, on_existing=mode, idempotency_key=key)


def _correct(stand: Stand, revision: int, key: str) -> Call:
    changes = HospitalChanges(ownership="corrected")
    return lambda: stand.producer_client.correct_hospital(
        HOSPITAL_ID, changes, revision=revision, idempotency_key=key
    )


def _discard(stand: Stand, revision: int, key: str) -> Call:
    return lambda: stand.producer_client.discard_hospital(HOSPITAL_ID, revision=revision, idempotency_key=key)


def _register(stand: Stand, key: str) -> Call:
    return lambda: stand.producer_client.register_hospital(record(HOSPITAL), **BY, idempotency_key=key)


def _amend(stand: Stand, revision: int, key: str) -> Call:
    changes = HospitalChanges(ownership="amended")
    return lambda: stand.producer_client.amend_hospital(
        HOSPITAL_ID, changes, revision=revision, **BY, idempotency_key=key
    )


def _withdraw(stand: Stand, revision: int, key: str) -> Call:
    return lambda: stand.producer_client.withdraw_hospital(
        HOSPITAL_ID, revision=revision, **BY, idempotency_key=key
    )


def _while_absent(stand: Stand) -> Calls:
    return [
        (_correct(stand, 1, "absent"), "not_found"),
        (_amend(stand, 1, "absent"), "not_found"),
        (_withdraw(stand, 1, "absent"), "not_found"),
    ]


def _while_registered(stand: Stand) -> Calls:
    """The hospital has revision 1 first, and 2 after the amendment."""
    return [
        (_register(stand, "registers"), "registered"),
        (_amend(stand, 1, "amends"), "amended"),
        (_amend(stand, 1, "amends-too-late"), "conflict"),
        (_register(stand, "registers-again"), "conflict"),
        (_ingest(stand, "merge", 77, "merges-registered"), "registered"),
        (_chunk(stand, "merge", 78, "merges-registered"), "registered"),
        (_correct(stand, 2, "corrects-registered"), "conflict"),
        (_discard(stand, 2, "discards-registered"), "conflict"),
        (_withdraw(stand, 1, "withdraws-too-late"), "conflict"),
        (_withdraw(stand, 2, "withdraws"), "withdrawn"),
    ]


def _while_partial(stand: Stand) -> Calls:
    """The hospital has revision 3 after the first three."""
    return [
        (_ingest(stand, "keep", 5, "creates"), "created"),
        (_ingest(stand, "merge", 6, "merges"), "merged"),
        (_chunk(stand, "merge", 7, "merges"), "merged"),
        (_ingest(stand, "merge", 7, "changes-nothing"), "same"),
        (_ingest(stand, "keep", 8, "keeps"), "kept"),
        (_chunk(stand, "merge", 7, "changes-nothing"), "same"),
        (_chunk(stand, "keep", 8, "keeps"), "kept"),
        (_correct(stand, 99, "corrects-another"), "conflict"),
        # What the hospital will have when it has been created anew.
        (_discard(stand, 1, "discards-another"), "conflict"),
        (_amend(stand, 3, "amends-partial"), "conflict"),
        (_withdraw(stand, 3, "withdraws-partial"), "conflict"),
    ]


async def _outcome(call: Call) -> Any:
    return (await (await call()).outcome(timeout=60)).model_copy(update={"token": None})


async def _first(calls: Calls) -> list[tuple[Call, Any]]:
    answered = []
    for call, status in calls:
        outcome = await _outcome(call)
        assert getattr(outcome, "statuses", None) or [outcome.status] == [status]
        answered.append((call, outcome))
    return answered


async def _repeat(stand: Stand, answered: list[tuple[Call, Any]]) -> None:
    """Let the outcomes expire and repeat the calls: each is a job again, which changes and answers nothing else."""
    before = await _stored(stand)
    async for key in stand.redis.scan_iter(keys.RESULT + "*"):
        await stand.redis.delete(key)
    stand.row.faults += len(answered)
    for call, outcome in answered:
        receipt = await call()
        assert receipt.state == "new"
        again = (await receipt.outcome(timeout=60)).model_copy(update={"token": None})
        assert (receipt.job_id, again) == (receipt.job_id, outcome)
    assert await _stored(stand) == before


async def _stored(stand: Stand) -> Any:
    return await stand.database["hospitals"].find_one({"_id": HOSPITAL_ID}, {"applied_jobs": False})


async def test_row_42_a_key_has_one_answer_also_if_nothing_was_changed(stand: Stand) -> None:
    await stand.worker()
    answered = await _first(_while_absent(stand))
    answered += await _first(_while_registered(stand))
    await _repeat(stand, answered)
    answered += await _first(_while_partial(stand))
    for number in range(OTHER_CHANGES):
        await _outcome(_ingest(stand, "merge", 1_000 + number, None))
    await _repeat(stand, answered)
    answered += await _first([(_discard(stand, 3 + OTHER_CHANGES, "discards"), "discarded")])
    await _repeat(stand, answered)
    # Nothing is stored now, so what had found a hospital before could create it, or report that there is none.
    await _outcome(_ingest(stand, "merge", 9, None))
    await _repeat(stand, answered)
    await _outcome(_discard(stand, 1, "discards-again"))
    await _repeat(stand, answered)
    assert await _stored(stand) is None


@pytest.mark.long
@pytest.mark.parametrize("call", [_ingest, _chunk])
async def test_row_42_a_worker_that_dies_while_it_stores_an_answer_leaves_one(
    open_stand: OpenStand, call: Callable[[Stand, str, int, str], Call]
) -> None:
    async with open_stand(WORKER_LEASE="2", REDIS_TIMEOUT="1") as stand:
        worker = await stand.worker()
        await _first([(_ingest(stand, "keep", 1, "creates"), "created")])
        keep = call(stand, "keep", 2, "keeps")
        async with fail_command(stand.mongo_server.members[0], ["update"], blockConnection=True, blockTimeMS=3_000):
            receipt = await keep()
            await stand.until(lambda: _is_being_stored(stand))
            await sigkill(worker)
        await stand.worker()
        first = (await receipt.outcome(timeout=60)).model_copy(update={"token": None})
        await _outcome(_discard(stand, 1, "discards"))
        await _repeat(stand, [(keep, first)])
        assert await _stored(stand) is None


async def _is_being_stored(stand: Stand) -> bool:
    """Return whether an update of the memory has arrived at the server."""
    operations = await stand.database.client.admin.aggregate(
        [{"$currentOp": {}}, {"$match": {"command.update": "applied_jobs"}}]
    )
    return bool(await operations.to_list(None))


@pytest.mark.long
async def test_row_42_a_frozen_worker_does_not_replace_the_answer(open_stand: OpenStand) -> None:
    """Its answer "registered" is on its way when it is frozen; then the hospital is withdrawn; others answer."""
    async with open_stand(WORKER_LEASE="2", REDIS_TIMEOUT="1") as stand:
        worker = await stand.worker()
        await _first([(_register(stand, "registers"), "registered")])
        merge = _ingest(stand, "merge", 2, "merges")
        async with fail_command(
            stand.mongo_server.members[0], ["update"], mode={"times": 1}, blockConnection=True, blockTimeMS=5_000
        ):
            receipt = await merge()
            await stand.until(lambda: _is_being_stored(stand))
            with frozen(worker):
                await stand.worker()
                await _outcome(_withdraw(stand, 1, "withdraws"))
                first = (await receipt.outcome(timeout=60)).model_copy(update={"token": None})
        stand.row.faults += 1
        await _repeat(stand, [(merge, first)])
        if await _stored(stand) is not None:
            await _outcome(_discard(stand, 1, "discards"))
        await _repeat(stand, [(merge, first)])
        assert await _stored(stand) is None
