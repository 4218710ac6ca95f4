"""What the tests beside this one rely on: a database is empty, and as it was made."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from tests.integration.mongo.clean_databases import CleanDatabases
from worker.embedded import EmbeddedMongo

Things = Database[dict[str, Any]]


@pytest.fixture
def databases(replica_set: EmbeddedMongo) -> Iterator[CleanDatabases]:
    with CleanDatabases(replica_set.url) as databases:
        yield databases


@pytest.fixture
def used(replica_set: EmbeddedMongo, databases: CleanDatabases) -> Iterator[Things]:
    """A database that a test has taken, made and written to."""
    name, has_schema = databases.take()
    assert not has_schema
    with MongoClient[dict[str, Any]](replica_set.url) as client:
        client[name]["things"].create_index("number")
        databases.note_schema(name)
        client[name]["things"].insert_one({"_id": 1})
        yield client[name]
        client.drop_database(name)


def test_the_next_test_finds_it_empty(databases: CleanDatabases, used: Things) -> None:
    databases.give_back(used.name)

    assert databases.take() == (used.name, True)
    assert list(used["things"].find()) == []
    assert databases.take()[0] != used.name


@pytest.mark.parametrize(
    "change",
    [
        lambda used: used["things"].drop_index("number_1"),
        lambda used: used["things"].create_index("other"),
        lambda used: used["more"].insert_one({}),
        lambda used: used.command("collMod", "things", validator={"number": 1}),
        lambda used: (used["things"].drop(), used["things"].create_index("number")),
    ],
    ids=["an index less", "an index more", "a collection more", "a validator", "made anew"],
)
def test_one_with_another_schema_is_not_taken_again(
    databases: CleanDatabases, used: Things, change: Callable[[Things], object]
) -> None:
    change(used)

    databases.give_back(used.name)

    assert databases.take()[0] != used.name


def test_one_with_an_open_transaction_is_not_taken_again(databases: CleanDatabases, used: Things) -> None:
    with used.client.start_session() as session, session.start_transaction():
        used["things"].insert_one({}, session=session)

        databases.give_back(used.name)

        assert databases.take()[0] != used.name
