"""Connections that ask Redis Sentinel for the master and follow it through a failover.

They follow Sentinel's guidelines for clients: ask the sentinels in turn with a short timeout, and first the one
that answered last time; make sure that the named server is a master; ask again for each new connection.
https://redis.io/docs/latest/develop/reference/sentinel-clients/
"""

from collections.abc import Sequence
from typing import Any

from redis import Redis as SyncRedis
from redis.asyncio.connection import BlockingConnectionPool
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.connection import Connection as SyncConnection
from redis.connection import SSLConnection as SyncSSLConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.utils import str_if_bytes

from worker.own_thread import in_own_thread
from worker.redis.errors import MasterNotFound, refused_certificate
from worker.redis.packing import PackingConnection, PackingSSLConnection
from worker.redis.primary import PrimaryConnection, SyncPrimaryConnection
from worker.redis_url import SentinelUrl

_TIMEOUT_S = 1.0


class Sentinels:
    """The sentinels that monitor one master; `found` is the master's address from the last answer.

    Each sentinel gets `timeout_s` seconds to answer; `options` are further options of redis-py's synchronous
    client. Several threads may call at once: no connection stays open between calls.
    """

    def __init__(
        self, addresses: Sequence[tuple[str, int]], master: str, timeout_s: float = _TIMEOUT_S, **options: Any
    ) -> None:
        self._addresses = list(addresses)
        self._master = master
        self._options = options | {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
        self.found: tuple[str, int] | None = None

    @classmethod
    def of_arq(cls, pool: SentinelConnectionPool) -> "Sentinels":
        """Return the sentinels of a pool that arq made; arq supports neither TLS nor passwords for sentinels."""
        servers = [client.connection_pool.connection_kwargs for client in pool.sentinel_manager.sentinels]
        return cls([(server["host"], server["port"]) for server in servers], pool.service_name)

    def find(self) -> tuple[str, int]:
        """Ask where the master is; blocks. Raises `MasterNotFound` with the answer of each sentinel."""
        answers, known, answered = [], False, False
        for address in self._addresses:
            try:
                with SyncRedis(host=address[0], port=address[1], **self._options) as sentinel:
                    state = sentinel.sentinel_masters().get(self._master)
            except (RedisError, OSError) as error:
                why = refused_certificate(error) or type(error).__name__
                answers.append(f"{address[0]}:{address[1]} {why}")
                continue
            answered = True
            if state is None:
                answers.append(f"{address[0]}:{address[1]} does not know it")
            elif state["is_sdown"] or state["is_odown"]:
                known = True
                answers.append(f"{address[0]}:{address[1]} considers it down")
            else:
                # A new list, because another thread may be iterating over the old one.
                self._addresses = [address, *(other for other in self._addresses if other != address)]
                self.found = state["ip"], state["port"]
                return self.found
        raise MasterNotFound(
            f"no sentinel names a working master {self._master!r} ({', '.join(answers)})",
            unknown=answered and not known,
        )

    def refuse_replica(self, role: Any) -> None:
        """Check a server's answer to ROLE. Raises redis-py's `ConnectionError` for anything but a master."""
        if str_if_bytes(role[0]) != "master":
            # A sentinel that is cut off from the others still names the old master: ask it last.
            self._addresses = [*self._addresses[1:], self._addresses[0]]
            raise RedisConnectionError("the server that the sentinel names is not a master")


class _Following(PrimaryConnection):
    host: str
    port: int

    def __init__(self, *, sentinels: Sentinels, **options: Any) -> None:
        super().__init__(**options)
        self._sentinels = sentinels

    @property
    def is_astray(self) -> bool:
        # Idle since before a failover: its server may be cut off, and a command would wait until its timeout.
        return super().is_astray or (self.host, self.port) != self._sentinels.found

    async def _locate(self) -> None:
        self.host, self.port = await in_own_thread(self._sentinels.find)

    async def on_connect(self) -> None:
        await super().on_connect()
        await self.send_command("ROLE", check_health=False)
        self._sentinels.refuse_replica(await self.read_response())


class SentinelConnection(_Following, PackingConnection):
    """To the master, over TCP."""


class SentinelSSLConnection(_Following, PackingSSLConnection):
    """To the master, over TLS."""


class _SyncFollowing(SyncPrimaryConnection):
    host: str
    port: int

    def __init__(self, *, sentinels: Sentinels, **options: Any) -> None:
        super().__init__(**options)
        self._sentinels = sentinels

    def connect(self) -> None:
        if self._sock:
            if (self.host, self.port) == self._sentinels.found:
                return
            self.disconnect()
        self.host, self.port = self._sentinels.find()
        super().connect()

    def on_connect(self) -> None:
        super().on_connect()
        self.send_command("ROLE", check_health=False)
        self._sentinels.refuse_replica(self.read_response())


class SyncSentinelConnection(_SyncFollowing, SyncConnection):  # type: ignore[misc]  # mypy does not follow redis
    """To the master, over TCP, for a thread."""


class SyncSentinelSSLConnection(_SyncFollowing, SyncSSLConnection):  # type: ignore[misc]  # as above
    """To the master, over TLS, for a thread."""


def follow_master(pool: BlockingConnectionPool, url: SentinelUrl) -> None:
    """Make `pool` open its connections to the master that the sentinels of `url` name."""
    kwargs = pool.connection_kwargs
    del kwargs["host"]
    tls = {name: value for name, value in kwargs.items() if name.startswith("ssl_")}
    # Asking all sentinels must take no longer than one command may.
    timeout_s = min(_TIMEOUT_S, kwargs["socket_timeout"] / len(url.sentinels))
    kwargs["sentinels"] = Sentinels(url.sentinels, url.master, timeout_s, ssl=url.tls, **tls, **url.login)
    pool.connection_class = SentinelSSLConnection if url.tls else SentinelConnection
