"""Databases with the service's schema, each of which one test after the other has for itself, empty.

To make one takes more time than most tests do with it, and the longer the more of them a server has: a third of a
second after some hundred tests. To empty one takes a fiftieth of that.
"""

import itertools
import re
from types import TracebackType
from typing import Any, Self

from pymongo import MongoClient

_numbers = itertools.count(1)


class CleanDatabases:
    """The databases of one server that no test has now."""

    def __init__(self, url: str) -> None:
        self._client: MongoClient[dict[str, Any]] = MongoClient(url)
        self._as_made: dict[str, object] = {}
        self._clean: list[str] = []

    def take(self) -> tuple[str, bool]:
        """Return the name of a database, and whether it has the schema."""
        return (self._clean.pop(), True) if self._clean else (f"clean_{next(_numbers)}", False)

    def note_schema(self, name: str) -> None:
        """Remember how a database is after its schema was made."""
        self._as_made[name] = self._catalog(name)

    def give_back(self, name: str) -> None:
        """Empty a database for the next test. One that is in use or has another schema is left to itself."""
        if self._is_in_use(name) or self._catalog(name) != self._as_made[name]:
            return
        for collection in self._client[name].list_collection_names():
            self._client[name][collection].delete_many({})
        self._clean.append(name)

    def _is_in_use(self, name: str) -> bool:
        """Whether a command that a test has left behind, or a transaction, might still write to it."""
        # A transaction that waits for its next command names no database.
        found: list[dict[str, Any]] = [
            {"ns": {"$regex": rf"^{re.escape(name)}\."}},
            {"transaction": {"$exists": True}},
        ]
        stages: list[dict[str, Any]] = [
            {"$currentOp": {"allUsers": True, "idleSessions": True}},
            {"$match": {"$or": found}},
        ]
        return bool(list(self._client["admin"].aggregate(stages)))

    def _catalog(self, name: str) -> object:
        """Return all collections, with their options and identifiers, and their indexes."""
        database = self._client[name]
        collections = sorted(database.list_collections(), key=lambda each: str(each["name"]))
        return [(dict(each), list(database[each["name"]].list_indexes())) for each in collections]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
