import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakSet

import pytest

from worker.errors import ConflictError, OutageError
from worker.mongo.client import MongoHandle, Session
from worker.mongo.reader import HospitalReader
from worker.mongo.schema import ensure_schema
from worker.mongo.transactions import run_transaction

UNKNOWN = {"errorLabels": ["UnknownTransactionCommitResult"]}
TRANSIENT = {"errorLabels": ["TransientTransactionError"]}


class Body:
    """Makes two related writes and counts its runs; `between` runs between the writes, and may fail or wait."""

    def __init__(self, mongo: MongoHandle, between: Callable[[], Awaitable[None]] | None = None) -> None:
        self._mongo = mongo
        self._between = between
        self.runs = 0

    async def __call__(self, session: Session) -> int:
        self.runs += 1
        await self._mongo.database["first"].insert_one({"_id": 1}, session=session)
        if self._between is not None:
            await self._between()
        await self._mongo.database["second"].insert_one({"_id": 1}, session=session)
        return self.runs


async def counts(mongo: MongoHandle) -> tuple[int, int]:
    return (
        await mongo.database["first"].count_documents({}),
        await mongo.database["second"].count_documents({}),
    )


def within(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


@pytest.fixture(autouse=True)
async def collections(mongo: MongoHandle) -> AsyncIterator[None]:
    for name in ("first", "second"):
        await mongo.database.create_collection(name)
    yield
    # A commit that a fail point intercepted leaves its transaction open, and its locks held.
    await mongo.client.admin.command("killAllSessions", [])


async def test_both_writes_are_committed_and_the_token_is_usable(mongo: MongoHandle) -> None:
    body = Body(mongo)
    committed = await run_transaction(mongo, body, deadline=within(10))
    assert committed.value == 1
    assert await counts(mongo) == (1, 1)
    assert committed.token is not None
    assert await HospitalReader(mongo).find_one("cms:1", token=committed.token) is None


async def test_a_body_that_fails_after_its_first_write_stores_nothing(mongo: MongoHandle) -> None:
    async def fail() -> None:
        raise RuntimeError("between the writes")

    with pytest.raises(RuntimeError, match="between the writes"):
        await run_transaction(mongo, Body(mongo, fail), deadline=within(10))
    assert await counts(mongo) == (0, 0)


async def test_a_failed_body_is_freed_without_the_garbage_collector(mongo: MongoHandle) -> None:
    known: WeakSet[Body] = WeakSet()

    async def body(session: Session) -> None:
        mine = Body(mongo)
        known.add(mine)
        await mine(session)
        raise RuntimeError("after the writes")

    gc.disable()
    try:
        with pytest.raises(RuntimeError):
            await run_transaction(mongo, body, deadline=within(10))
        assert not known
    finally:
        gc.enable()


async def test_a_refused_second_write_stores_nothing(mongo: MongoHandle, fail_command: Any) -> None:
    async with fail_command(["insert"], mode={"skip": 1}, errorCode=14031):
        with pytest.raises(OutageError, match="OutOfDiskSpace"):
            await run_transaction(mongo, Body(mongo), deadline=within(10))
    assert await counts(mongo) == (0, 0)


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param({"closeConnection": True}, id="connection closed"),
        pytest.param({"errorCode": 64, **UNKNOWN}, id="unknown result"),
        pytest.param(
            {"writeConcernError": {"code": 64, "errmsg": "timed out"}}, id="applied, majority not confirmed"
        ),
        pytest.param(
            {"writeConcernError": {"code": 100, "errmsg": "no such tag"}}, id="applied, write concern refused"
        ),
    ],
)
async def test_a_commit_with_unknown_result_is_retried_without_the_body(
    mongo: MongoHandle, fail_command: Any, failure: dict[str, Any]
) -> None:
    body = Body(mongo)
    async with fail_command(["commitTransaction"], mode={"times": 3}, **failure):
        committed = await run_transaction(mongo, body, deadline=within(20))
    assert committed.value == body.runs == 1
    assert await counts(mongo) == (1, 1)


async def test_a_transient_commit_error_retries_the_body(mongo: MongoHandle, fail_command: Any) -> None:
    body = Body(mongo)
    async with fail_command(["commitTransaction"], mode={"times": 5}, errorCode=112, **TRANSIENT):
        committed = await run_transaction(mongo, body, deadline=within(20))
    assert committed.value == body.runs == 6
    assert await counts(mongo) == (1, 1)


async def test_a_transient_write_error_retries_the_body(mongo: MongoHandle, fail_command: Any) -> None:
    body = Body(mongo)
    async with fail_command(["insert"], mode={"times": 2}, errorCode=112, **TRANSIENT):
        await run_transaction(mongo, body, deadline=within(20))
    assert body.runs == 3
    assert await counts(mongo) == (1, 1)


@pytest.mark.parametrize(
    ("failure", "error"),
    [({"errorCode": 112, **TRANSIENT}, ConflictError), ({"errorCode": 64, **UNKNOWN}, OutageError)],
)
async def test_retries_end_at_the_deadline(
    mongo: MongoHandle, fail_command: Any, failure: dict[str, Any], error: type[Exception]
) -> None:
    started = asyncio.get_running_loop().time()
    async with fail_command(["commitTransaction"], **failure):
        with pytest.raises(error):
            await run_transaction(mongo, Body(mongo), deadline=within(0.3))
    assert asyncio.get_running_loop().time() - started < 2


async def test_a_persistent_duplicate_key_is_a_conflict(mongo: MongoHandle) -> None:
    await mongo.database["second"].insert_one({"_id": 1})
    body = Body(mongo)
    with pytest.raises(ConflictError, match="DuplicateKey"):
        await run_transaction(mongo, body, deadline=within(20))
    assert body.runs > 1
    assert await counts(mongo) == (0, 1)


async def test_competing_transactions_all_commit(mongo: MongoHandle) -> None:
    counter = mongo.database["first"]
    await counter.insert_one({"_id": 0, "n": 0})

    async def increment(session: Session) -> None:
        await counter.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session)

    await asyncio.gather(*(run_transaction(mongo, increment, deadline=within(20)) for _ in range(20)))
    assert (await counter.find_one({"_id": 0})) == {"_id": 0, "n": 20}


@asynccontextmanager
async def slow(fail_command: Any, command: str) -> AsyncIterator[None]:
    async with fail_command([command], mode={"times": 1}, blockConnection=True, blockTimeMS=300):
        yield


async def in_transaction(mongo: MongoHandle) -> int:
    status = await mongo.client.admin.command("serverStatus")
    return int(status["transactions"]["currentOpen"])


async def blocked(mongo: MongoHandle, command: str) -> bool:
    pipeline = [
        {"$currentOp": {"localOps": True}},
        {"$match": {"ns": {"$regex": f"^{mongo.database.name}|^admin"}, f"command.{command}": {"$exists": True}}},
    ]
    answer = await mongo.client.admin.command("aggregate", 1, pipeline=pipeline, cursor={})
    return bool(answer["cursor"]["firstBatch"])


async def test_a_cancelled_transaction_stores_nothing_and_leaves_nothing_running(
    mongo: MongoHandle, fail_command: Any
) -> None:
    body = Body(mongo)
    async with slow(fail_command, "insert"):
        task = asyncio.create_task(run_transaction(mongo, body, deadline=within(20)))
        while not await blocked(mongo, "insert"):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert mongo.pool.checked_out == 0
    assert await in_transaction(mongo) == 0
    assert await counts(mongo) == (0, 0)
    assert body.runs == 1


async def test_cancelling_twice_still_waits_for_the_running_operation(
    mongo: MongoHandle, fail_command: Any
) -> None:
    async with slow(fail_command, "insert"):
        task = asyncio.create_task(run_transaction(mongo, Body(mongo), deadline=within(20)))
        while not await blocked(mongo, "insert"):
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert mongo.pool.checked_out == 0
    assert await in_transaction(mongo) == 0
    assert await counts(mongo) == (0, 0)


async def test_a_commit_that_is_running_at_cancellation_finishes(mongo: MongoHandle, fail_command: Any) -> None:
    async with slow(fail_command, "commitTransaction"):
        task = asyncio.create_task(run_transaction(mongo, Body(mongo), deadline=within(20)))
        while not await blocked(mongo, "commitTransaction"):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert mongo.pool.checked_out == 0
    assert await counts(mongo) == (1, 1)


async def test_a_step_down_during_transactions_loses_none(open_handle: Any, three_members: Any) -> None:
    async with open_handle(three_members.url) as (mongo, _):
        await ensure_schema(mongo)
        numbers = mongo.database["numbers"]
        await numbers.insert_one({"_id": "before"})
        committed: list[int] = []

        async def one(n: int) -> None:
            async def body(session: Session) -> None:
                await numbers.insert_one({"_id": n}, session=session)
                await numbers.insert_one({"_id": f"log of {n}"}, session=session)

            await run_transaction(mongo, body, deadline=within(30))
            committed.append(n)

        async def some(worker: int) -> None:
            for n in range(worker, 80, 8):
                await one(n)

        running = asyncio.gather(*(some(worker) for worker in range(8)))
        while len(committed) < 10:
            await asyncio.sleep(0.01)
        member = await three_members.primary()
        # Within seconds another member is primary, or this one again: it may not be elected for ten seconds.
        await member.command("replSetStepDown", 10, force=True)
        await running
        assert len(committed) == 80
        assert await numbers.count_documents({}) == 161
