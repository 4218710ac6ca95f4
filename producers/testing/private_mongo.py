"""A private MongoDB for one run of tests."""

import itertools
from typing import Any, Self

from pymongo import MongoClient
from pymongo.database import Database

from producers.own_loop import OwnLoop
from producers.testing.transaction_faults import TransactionFaults
from worker.embedded import EmbeddedMongo


class PrivateMongo:
    """A replica set of one member, as a child process; nobody else uses it, and its data is removed at the end.

    `client` is a blocking client of PyMongo, to look at what was stored. Connect your own code to `url`.
    """

    def __init__(self) -> None:
        """Start the server, and wait until it answers. Raises `EmbeddedServerError`."""
        self._server = EmbeddedMongo(test_commands=True)
        self._loop = OwnLoop(self._server.stop)
        try:
            self._loop.run(self._server.start)
        except BaseException:
            self._loop.close()
            raise
        self.client: MongoClient[dict[str, Any]] = MongoClient(self.url)
        self.faults = TransactionFaults(self.client)
        self._databases = itertools.count(1)

    @property
    def url(self) -> str:
        """The address for `MongoClient`, `AsyncMongoClient` and `AsyncIOMotorClient`."""
        return self._server.url

    def new_database(self) -> Database[dict[str, Any]]:
        """Return a database that no other test of this run uses, empty."""
        return self.client[f"test_{next(self._databases)}"]

    def stop(self) -> None:
        """Stop the server and remove its data."""
        self.client.close()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
