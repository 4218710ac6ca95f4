"""The one shared MongoDB client of a process.

Both drivers serve behind one type. Motor's classes have the methods of PyMongo's asynchronous ones, so the rest
of the package is written against PyMongo's; where Motor returns at once what PyMongo has to be awaited for, or
the reverse (`start_session`, `start_transaction`, `aggregate`, `close`), `settled` makes no difference of it.
"""

import inspect
import os
import warnings
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConfigurationError as DriverConfigurationError
from pymongo.errors import InvalidURI

from worker.errors import ConfigurationError
from worker.mongo.driver_patches import trust_session_timeouts
from worker.mongo.pool import PoolCounter, PoolStatistics
from worker.mongo.tokens import CausalPoint, encode_token
from worker.settings import Settings

Document = dict[str, Any]
Client = AsyncMongoClient[Document]
Database = AsyncDatabase[Document]
Collection = AsyncCollection[Document]
Session = AsyncClientSession

T = TypeVar("T")

APP_NAME = "hospital-registry-worker"
"""What a worker's connections are called in the server's log and lists."""


async def settled(value: Awaitable[T] | T) -> T:
    """Return what one driver returns at once and the other has to be awaited for."""
    return await value if inspect.isawaitable(value) else value


@dataclass(frozen=True, slots=True)
class MongoHandle:
    """The shared client, and the registry's database in it."""

    client: Client
    database: Database
    hospitals: Collection
    """Read from the primary whatever the URL says: their readers decide what to write."""
    logs: Collection
    """The audit log."""
    pool_counter: PoolCounter

    def latest_token(self) -> str | None:
        """Return the causal token of the latest point in the cluster's history that this client was told of.

        That is no earlier than any operation that it has had an answer to: whoever presents the token sees them
        all. `None` before the first answer, and on a standalone server.
        """
        # Without a session the drivers hand an operation's time to nobody. A CommandListener is told it too, and
        # cost every single ingest 50 µs of processor time; the client's own clock costs nothing, though it has no
        # public name. Motor keeps PyMongo's client in `delegate`, which to PyMongo's own would be a database.
        topology = vars(self.client).get("delegate", self.client)._topology
        cluster_time = topology.max_cluster_time() if topology is not None else None
        if cluster_time is None:
            return None
        return encode_token(CausalPoint(cluster_time["clusterTime"], dict(cluster_time)))

    @property
    def pool(self) -> PoolStatistics:
        """The connections of the client as they are now."""
        return self.pool_counter.statistics

    async def close(self) -> None:
        """Close all connections; operations under way fail."""
        await settled(cast(Awaitable[None] | None, self.client.close()))


def client_options(settings: Settings) -> dict[str, Any]:
    """Return the driver options of a client; they come before those of the URL."""
    command_ms = round(settings.mongodb_timeout * 1000)
    selection_ms = round(settings.mongodb_selection_timeout * 1000)
    return {
        "appname": APP_NAME,
        "maxPoolSize": settings.mongodb_pool_size,
        "waitQueueTimeoutMS": selection_ms,
        "serverSelectionTimeoutMS": selection_ms,
        # A server that comes back is noticed within this, even if it said that it was about to stop.
        "heartbeatFrequencyMS": 2_000,
        "connectTimeoutMS": min(command_ms, selection_ms),
        "socketTimeoutMS": command_ms,
        "retryWrites": True,
        "retryReads": True,
        "w": "majority",
        "journal": True,
        # What decides a write must be the newest there is; `HospitalReader` asks for majority reads itself.
        "readConcernLevel": "local",
        "readPreference": "primary",
        "tz_aware": True,
        "uuidRepresentation": "standard",
    }


def open_mongo(settings: Settings) -> MongoHandle:
    """Open the shared client within a running event loop. No connection is made yet: see `worker.mongo.startup`.

    Raises `ConfigurationError` if `MONGODB_URL` is malformed.
    """
    trust_session_timeouts()
    counter = PoolCounter()
    options = client_options(settings) | {"event_listeners": [counter]}
    url = settings.mongodb_url.get_secret_value()
    try:
        with warnings.catch_warnings():
            # The driver only warns of an option with a wrong value, and goes on without it.
            warnings.simplefilter("error", UserWarning)
            client = (
                _open_motor(url, options)
                if settings.mongodb_driver == "motor"
                else AsyncMongoClient(url, **options)
            )
    except (InvalidURI, DriverConfigurationError, ValueError, TypeError, UserWarning) as error:
        # The driver's message may quote a part of the URL, and so of the password.
        raise ConfigurationError(
            f"MONGODB_URL: not a usable MongoDB URL ({type(error).__name__}); expected "
            "mongodb://user:password@host:port/?replicaSet=name, with user and password percent-encoded and "
            "options that MongoDB knows"
        ) from None
    database = client[settings.mongodb_database]
    # Made once: Motor builds a collection of several objects each time that it is asked for one.
    return MongoHandle(client, database, database["hospitals"], database["logs"], counter)


def _open_motor(url: str, options: dict[str, Any]) -> Client:
    # Motor runs each operation in a thread, by default of 5 per processor: then 10 slow commands hold all others
    # up, whatever the pool's size. One thread for each pooled connection makes the pool the limit; idle threads
    # cost nothing, and throughput was the same with 10, 40 and 100. Motor reads the variable when it is imported,
    # so the import has to wait; an operator's own value stays.
    os.environ.setdefault("MOTOR_MAX_WORKERS", str(options["maxPoolSize"]))
    from motor.motor_asyncio import AsyncIOMotorClient  # noqa: PLC0415 - told above

    return cast(Client, AsyncIOMotorClient(url, **options))
