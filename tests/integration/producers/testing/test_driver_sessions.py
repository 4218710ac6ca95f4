"""Which writes used a session, as each driver sends them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, cast

import pytest
import pytest_asyncio
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient, MongoClient
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import PyMongoError

from producers.testing import CommandLog, PrivateMongo, TransactionFaults
from worker.mongo.client import settled


@pytest_asyncio.fixture(params=[AsyncMongoClient, AsyncIOMotorClient], ids=["pymongo", "motor"])
async def database(
    request: pytest.FixtureRequest, private_mongo: PrivateMongo, command_log: CommandLog
) -> AsyncIterator[Any]:
    client = request.param(private_mongo.url, event_listeners=[command_log])
    yield client[private_mongo.new_database().name]
    await settled(cast(Awaitable[None] | None, client.close()))


async def both(database: Any, session: Any) -> None:
    await database["first"].insert_one({"_id": 1}, session=session)
    await database["second"].insert_one({"_id": 1}, session=session)


async def in_transaction(database: Any, body: Callable[[Any, Any], Awaitable[None]]) -> None:
    async with await settled(database.client.start_session()) as session:
        await session.with_transaction(lambda given: body(database, given))


async def test_a_write_without_a_session_shows_none(database: Any, command_log: CommandLog) -> None:
    await both(database, None)
    command_log.assert_no_session("first", "second")
    assert all("lsid" in it.command for it in command_log.writes())
    with pytest.raises(AssertionError, match="not one session"):
        command_log.assert_one_session("first", "second")


async def test_nor_does_one_whose_driver_lends_it_the_identifier_of_an_ended_session(
    database: Any, command_log: CommandLog
) -> None:
    await in_transaction(database, both)
    (used,) = {it.session for it in command_log.writes()}
    command_log.clear()
    await database["third"].insert_one({})

    (write,) = command_log.writes("third")
    assert bytes(write.command["lsid"]["id"]) == used
    command_log.assert_no_session("third")


async def test_a_transaction_is_one(database: Any, command_log: CommandLog) -> None:
    await in_transaction(database, both)
    command_log.assert_one_transaction("first", "second")
    command_log.assert_one_session("first", "second")
    await database["second"].delete_one({"_id": 1})
    with pytest.raises(AssertionError, match=r"not one transaction: .*delete second \(no session\)"):
        command_log.assert_one_transaction("first", "second")


async def test_a_session_without_a_transaction_is_no_transaction(database: Any, command_log: CommandLog) -> None:
    async with await settled(database.client.start_session()) as session:
        await both(database, session)
    command_log.assert_one_session("first", "second")
    with pytest.raises(AssertionError, match="not one transaction"):
        command_log.assert_one_transaction("first", "second")


@pytest.fixture
def blocking(private_mongo: PrivateMongo, command_log: CommandLog) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](private_mongo.url, event_listeners=[command_log]) as client:
        yield client[private_mongo.new_database().name]


def test_two_runs_of_a_body_are_two_transactions(
    blocking: Database[dict[str, Any]], command_log: CommandLog, transaction_faults: TransactionFaults
) -> None:
    def body(session: ClientSession) -> None:
        blocking["first"].insert_one({"_id": 1}, session=session)

    with transaction_faults.commit_fails(), blocking.client.start_session() as session:
        session.with_transaction(body)
    numbers = [it.transaction for it in command_log.writes("first")]
    assert len(numbers) == len(set(numbers)) == 2
    with pytest.raises(AssertionError, match="not one transaction"):
        command_log.assert_one_transaction("first")
    assert blocking["first"].count_documents({}) == 1


@pytest.mark.parametrize("label", ["TransientTransactionError", "UnknownTransactionCommitResult"])
async def test_motors_own_runner_does_not_repeat_a_commit(
    private_mongo: PrivateMongo, transaction_faults: TransactionFaults, label: str
) -> None:
    """docs/testing.md says so: code that relies on it fails the tests of that page."""
    client: Any = AsyncIOMotorClient(private_mongo.url)
    database = client[private_mongo.new_database().name]
    unknown = label == "UnknownTransactionCommitResult"
    fault = (
        transaction_faults.commit_result_unknown(committed=True) if unknown else transaction_faults.commit_fails()
    )
    with fault, pytest.raises(PyMongoError) as caught:
        await in_transaction(database, both)
    assert caught.value.has_error_label(label)
    assert await database["first"].count_documents({}) == unknown
    client.close()


def test_the_blocking_driver_is_logged_too(blocking: Database[dict[str, Any]], command_log: CommandLog) -> None:
    blocking["alone"].insert_one({})
    command_log.assert_no_session("alone")
    with blocking.client.start_session() as session:
        blocking["inside"].insert_one({}, session=session)
    command_log.assert_one_session("inside")


def test_a_fault_that_nothing_meets_fails(private_mongo: PrivateMongo) -> None:
    with (
        pytest.raises(AssertionError, match="no commitTransaction met this fault"),
        private_mongo.faults.commit_fails(),
    ):
        private_mongo.new_database()["alone"].insert_one({})


def test_the_error_of_a_block_is_not_hidden(private_mongo: PrivateMongo) -> None:
    with pytest.raises(ZeroDivisionError), private_mongo.faults.writes_fail():
        raise ZeroDivisionError
    assert private_mongo.new_database()["after"].insert_many([{}, {}]).acknowledged


def test_no_transaction_is_left_open(private_mongo: PrivateMongo, blocking: Database[dict[str, Any]]) -> None:
    """Careless code does not abort one whose commit has failed, and its locks would last for a minute."""
    with private_mongo.faults.commit_fails(), pytest.raises(PyMongoError):  # noqa: SIM117 (what the code does)
        with blocking.client.start_session() as session, session.start_transaction():
            blocking["first"].insert_one({"_id": 1}, session=session)
    status = private_mongo.client.admin.command("serverStatus")
    assert status["transactions"]["currentOpen"] == 0
    assert blocking["first"].count_documents({}) == 0
