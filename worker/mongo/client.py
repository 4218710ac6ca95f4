"""The one shared MongoDB client of a process.

Both drivers are used through one type. Motor's classes have the methods of PyMongo's asynchronous classes, so the
rest of the package is written for PyMongo's. For some methods (`start_session`, `start_transaction`, `aggregate`,
`close`) one driver returns the result and the other an awaitable; `settled` accepts both.
"""

import inspect
import os
import warnings
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from pymongo import AsyncMongoClient, monitoring
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConfigurationError as DriverConfigurationError
from pymongo.errors import InvalidURI

from worker.errors import ConfigurationError
from worker.mongo.chunk_locks import ChunkLocks
from worker.mongo.driver_patches import forget_first_tries, look_up_names_apart, trust_session_timeouts
from worker.mongo.memory import JobMemory
from worker.mongo.pool import PoolCounter, PoolStatistics
from worker.mongo.stale_transactions import StaleTransactions
from worker.mongo.tokens import CausalPoint, encode_token
from worker.mongo.write_progress import WriteProgress
from worker.settings import Settings

Document = dict[str, Any]
Client = AsyncMongoClient[Document]
Database = AsyncDatabase[Document]
Collection = AsyncCollection[Document]
Session = AsyncClientSession

T = TypeVar("T")

APP_NAME = "hospital-registry-worker"
"""The name of a worker's connections in the server's log and in `$currentOp`."""


async def settled(value: Awaitable[T] | T) -> T:
    """Return the result of a call that one driver returns directly and the other as an awaitable."""
    return await value if inspect.isawaitable(value) else value


@dataclass(frozen=True, slots=True)
class MongoHandle:
    """The shared client, and the registry's database in it."""

    client: Client
    database: Database
    hospitals: Collection
    """Reads go to the primary, whatever the URL says, because they decide what is written."""
    logs: Collection
    """The audit log."""
    memory: JobMemory
    """What jobs did, beyond the lists in the hospitals' documents."""
    chunk_locks: ChunkLocks
    """Which chunks are being ingested."""
    stale_transactions: StaleTransactions
    """Those that dead workers have left open."""
    pool_counter: PoolCounter
    write_progress: WriteProgress
    """Whether the primary still writes."""

    def latest_token(self) -> str | None:
        """Return the causal token of the latest cluster time that this client has received.

        That time is not before any operation that the client has received a reply to, so a reader that presents the
        token sees them all. `None` before the first reply, and on a standalone server.
        """
        # Without a session the drivers do not expose the time of an operation. A CommandListener receives it, but
        # cost 50 µs of processor time per ingest. The client's own cluster clock costs nothing, though it is not
        # public API. Motor keeps PyMongo's client in `delegate`; on PyMongo's client that attribute would name a
        # database.
        topology = vars(self.client).get("delegate", self.client)._topology
        cluster_time = topology.max_cluster_time() if topology is not None else None
        if cluster_time is None:
            return None
        return encode_token(CausalPoint(cluster_time["clusterTime"], dict(cluster_time)))

    @property
    def pool(self) -> PoolStatistics:
        """The client's current connection counts."""
        return self.pool_counter.statistics

    async def close(self) -> None:
        """Close all connections; running operations fail."""
        await settled(cast(Awaitable[None] | None, self.client.close()))


def client_options(settings: Settings) -> dict[str, Any]:
    """Return the driver options of a client; they override those of the URL."""
    command_ms = round(settings.mongodb_timeout * 1000)
    selection_ms = round(settings.mongodb_selection_timeout * 1000)
    return {
        "appname": APP_NAME,
        "maxPoolSize": settings.mongodb_pool_size,
        "waitQueueTimeoutMS": selection_ms,
        "serverSelectionTimeoutMS": selection_ms,
        # The driver detects a server that returns within this interval, even one that had announced its shutdown.
        "heartbeatFrequencyMS": 2_000,
        "connectTimeoutMS": min(command_ms, selection_ms),
        "socketTimeoutMS": command_ms,
        "retryWrites": True,
        "retryReads": True,
        "w": "majority",
        "journal": True,
        # A read that decides a write must see the latest state; `HospitalReader` sets majority reads itself.
        "readConcernLevel": "local",
        "readPreference": "primary",
        "tz_aware": True,
        "uuidRepresentation": "standard",
    }


def open_mongo(settings: Settings, listeners: Sequence[monitoring.CommandListener] = ()) -> MongoHandle:
    """Open the shared client within a running event loop. It does not connect yet: see `worker.mongo.startup`.

    The driver reports each command to the `listeners`, which costs time. Raises `ConfigurationError` if
    `MONGODB_URL` is malformed.
    """
    trust_session_timeouts()
    look_up_names_apart()
    forget_first_tries()
    counter, progress = PoolCounter(), WriteProgress()
    options = client_options(settings) | {"event_listeners": [counter, progress, *listeners]}
    url = settings.mongodb_url.get_secret_value()
    try:
        with warnings.catch_warnings():
            # For an option with an invalid value the driver only warns, and ignores the option.
            warnings.simplefilter("error", UserWarning)
            client = (
                _open_motor(url, options)
                if settings.mongodb_driver == "motor"
                else AsyncMongoClient(url, **options)
            )
    except (InvalidURI, DriverConfigurationError, ValueError, TypeError, UserWarning) as error:
        # The driver's message may quote part of the URL, and so part of the password.
        raise ConfigurationError(
            f"MONGODB_URL: not a usable MongoDB URL ({type(error).__name__}); expected "
            "mongodb://user:password@host:port/?replicaSet=name, with user and password percent-encoded and "
            "only options that MongoDB supports"
        ) from None
    database = client[settings.mongodb_database]
    # The collections are created once: for each access Motor would build a collection out of several objects.
    hospitals, logs, applied_jobs = database["hospitals"], database["logs"], database["applied_jobs"]
    memory = JobMemory(applied_jobs, hospitals, settings.idempotency_days)
    stale = StaleTransactions(client, APP_NAME)
    return MongoHandle(client, database, hospitals, logs, memory, ChunkLocks(), stale, counter, progress)


def _open_motor(url: str, options: dict[str, Any]) -> Client:
    # Motor runs each operation in a thread, by default 5 threads per processor: then 10 slow commands block all
    # others, whatever the pool's size. One thread per pooled connection makes the pool the limit; idle threads cost
    # nothing, and throughput was the same with 10, 40 and 100. Motor reads the variable when it is imported, so the
    # import comes after it; a value that an operator has set is kept.
    os.environ.setdefault("MOTOR_MAX_WORKERS", str(options["maxPoolSize"]))
    from motor.motor_asyncio import AsyncIOMotorClient  # noqa: PLC0415 - see the comment above

    return cast(Client, AsyncIOMotorClient(url, **options))
