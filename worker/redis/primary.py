"""Connections that notice when they no longer lead to the primary, and pools that then connect again.

In a fail-over behind one name, such as a cloud's endpoint, the name moves: new connections reach the new primary,
but open ones stay at the old primary, which lives on as a replica and refuses writes, or is frozen. So an answer
that only a replica gives, a connection that breaks or times out, or a role that has changed discredits every
connection that was made before.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from redis.asyncio.connection import AbstractConnection, BlockingConnectionPool, ConnectionPool
from redis.connection import AbstractConnection as SyncAbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.utils import str_if_bytes

from worker.redis.errors import is_not_primary

# A replica answers reads, so a caller that only reads would never notice. INFO instead of ROLE, because the
# documented permissions include it.
_ROLE_CHECK_S = 2.0
_UNSETTLED = -1
# As many as the loops of a worker use at once.
_RESERVED = 8


class Route:
    """The way to the primary, as the connections of one pool know it; `generation` counts its changes."""

    def __init__(self) -> None:
        self.generation = 0

    def has_moved(self, generation: int) -> None:
        """Note that a connection of `generation` does not lead to the primary, nor do those made before it."""
        # One connection after the other finds this out; those that were made meanwhile are good.
        if generation == self.generation:
            self.generation += 1


class PrimaryConnection(AbstractConnection):  # type: ignore[misc]  # mypy does not follow redis: see pyproject.toml
    """Connects again, at its next use, once its route has moved; to be mixed into redis-py's connections."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.route = Route()
        self._generation = _UNSETTLED
        self._role_due = 0.0

    @property
    def is_astray(self) -> bool:
        """Whether it was made before the route last moved, or has never been completed."""
        return self._generation != self.route.generation

    async def connect(self) -> None:
        """Connect, unless a connection to the primary is open."""
        if self.is_connected:
            if not self.is_astray and time.monotonic() >= self._role_due:
                await self._check_role()
            if not self.is_astray and self.is_connected:
                return
            # Without waiting: the old primary may be cut off.
            await self.disconnect(nowait=True)
        self._generation = _UNSETTLED
        generation = self.route.generation
        await self._locate()
        await super().connect()
        self._generation = generation
        self._role_due = time.monotonic() + _ROLE_CHECK_S

    def note_a_break(self) -> None:
        """Note that it broke while it was used, unless its caller was cancelled.

        If no answer came in time, the server may be frozen, and the connections made before lead to it too.
        """
        task = asyncio.current_task()
        if not (task and task.cancelling()):
            self.route.has_moved(self._generation)

    async def _locate(self) -> None:
        """Find out where the primary is, if more than its name is known."""

    async def _check_role(self) -> None:
        self._role_due = time.monotonic() + _ROLE_CHECK_S
        try:
            await self.send_command("INFO", "replication", check_health=False)
            answer = await self.read_response()
        except RedisConnectionError:
            # The server has closed it. The caller wants a connection and gets a new one.
            await self.disconnect(nowait=True)
        except ResponseError:
            # A user or a proxy that has no INFO: the first write shows the role.
            return
        else:
            if "role:slave" in str_if_bytes(answer):
                self.route.has_moved(self._generation)

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Return the next answer, as redis-py does."""
        try:
            return await super().read_response(*args, **options)
        except (ResponseError, RedisConnectionError) as error:
            # Not closed here: in a transaction, the answers of the other commands follow.
            if is_not_primary(error):
                self.route.has_moved(self._generation)
            raise


class PrimaryPool(ConnectionPool):  # type: ignore[misc]  # as above
    """A pool of `PrimaryConnection`s. It closes those that lead astray: idle ones at once, others on return."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._route = Route()
        self._swept = self._route.generation

    def make_connection(self) -> PrimaryConnection:
        """Return a connection that learns from the pool's other connections."""
        connection: PrimaryConnection = super().make_connection()
        connection.route = self._route
        return connection

    async def release(self, connection: PrimaryConnection) -> None:
        """Take a connection back."""
        if not connection.is_connected:
            connection.note_a_break()
        if connection.is_astray:
            await connection.disconnect(nowait=True)
        if self._swept != self._route.generation:
            self._swept = self._route.generation
            for idle in [idle for idle in self._available_connections if idle.is_astray]:
                await idle.disconnect(nowait=True)
        await super().release(connection)


class PrimaryBlockingPool(PrimaryPool, BlockingConnectionPool):  # type: ignore[misc]  # as above
    """The same, for a pool that waits for a free connection.

    `is_guest` says whether the caller is a guest. Guests may keep their connections for long, so that all of them
    together get all but 8, or half of fewer than 16.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.is_guest: Callable[[], bool] = bool
        # Guests wait here, where they do not stand in the way of others.
        self._places = asyncio.Semaphore(self.max_connections - min(_RESERVED, self.max_connections // 2))
        self._of_guests: set[PrimaryConnection] = set()

    async def get_connection(self, *args: Any, **options: Any) -> PrimaryConnection:
        """Return a connection, as redis-py does."""
        if not self.is_guest():
            connection: PrimaryConnection = await super().get_connection(*args, **options)
            return connection
        try:
            async with asyncio.timeout(self.timeout):
                await self._places.acquire()
        except TimeoutError:
            raise RedisConnectionError("No connection available.") from None
        try:
            connection = await super().get_connection(*args, **options)
        except BaseException:
            self._places.release()
            raise
        self._of_guests.add(connection)
        return connection

    async def release(self, connection: PrimaryConnection) -> None:
        """Take a connection back."""
        try:
            await super().release(connection)
        finally:
            if connection in self._of_guests:
                self._of_guests.discard(connection)
                self._places.release()


class SyncPrimaryConnection(SyncAbstractConnection):  # type: ignore[misc]  # as above
    """Closes itself when its server is not the primary, for a client of one connection; to be mixed in as above."""

    def read_response(self, *args: Any, **options: Any) -> Any:
        """Return the next answer, as redis-py does."""
        try:
            return super().read_response(*args, **options)
        except ResponseError as error:
            if is_not_primary(error):
                self.disconnect()
            raise
