"""Real replicas and sentinels on free ports, each in a process that the test starts."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.embedded import EmbeddedRedis
from worker.embedded.binaries import find_redis_server
from worker.embedded.folders import DataFolder
from worker.embedded.ports import LOOPBACK
from worker.embedded.processes import together, wait_until
from worker.embedded.server import PrivateServer

MASTER = "registry"


class Replica(EmbeddedRedis):
    """A Redis that replicates another one from its start."""

    def __init__(self, master: EmbeddedRedis) -> None:
        super().__init__()
        self._master_port = master.port

    async def start(self) -> None:
        """Start as a replica. Redis 7 and later would first wait 5 s for others that want the same snapshot."""
        async with Redis(host=LOOPBACK, port=self._master_port, socket_timeout=1) as master:
            await master.config_set("repl-diskless-sync-delay", 0)
        await super().start()

    def _arguments(self, folder: Path, port: int) -> Sequence[str]:
        (configuration,) = super()._arguments(folder, port)
        with (folder / configuration).open("a") as file:
            # A replica ignores SIGTERM while it writes its first append-only file.
            file.write(f"replicaof {LOOPBACK} {self._master_port}\nappendonly no\n")
        return [configuration]


class Sentinel(PrivateServer):
    """A sentinel. `monitor` sets the master that it watches."""

    def __init__(self, *, password: str | None = None) -> None:
        super().__init__("redis-server", DataFolder(None), "sentinel", start_timeout=10)
        self._password = password

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        self._data.discard()

    async def monitor(self, port: int, *, quorum: int, down_after_ms: int = 60_000, host: str = LOOPBACK) -> None:
        """Watch the server on `port` as the only master."""
        async with self.client() as client:
            if await client.execute_command("SENTINEL", "MASTERS"):
                await client.execute_command("SENTINEL", "REMOVE", MASTER)
            await client.execute_command("SENTINEL", "MONITOR", MASTER, host, port, quorum)
            options = {"down-after-milliseconds": down_after_ms, "failover-timeout": 2_000}
            for name, value in options.items():
                await client.execute_command("SENTINEL", "SET", MASTER, name, value)

    async def knows(self, *, sentinels: int, replicas: int) -> bool:
        """Return whether it knows at least so many other sentinels and replicas of the master."""
        async with self.client() as client:
            state = await client.sentinel_master(MASTER)
        return bool(state["num-other-sentinels"] >= sentinels and state["num-slaves"] >= replicas)

    def client(self) -> Any:
        return Redis(host=LOOPBACK, port=self.port, password=self._password, socket_timeout=1)

    def _find_binary(self) -> Path:
        return find_redis_server(os.environ)

    def _arguments(self, folder: Path, port: int) -> Sequence[str]:
        lines = [f"bind {LOOPBACK}", f"port {port}", "dir .", "daemonize no"]
        # Sentinels announce host names as given, so that a certificate can be issued for a name.
        lines += ["sentinel resolve-hostnames yes", "sentinel announce-hostnames yes"]
        if self._password:
            lines.append(f"requirepass {self._password}")
        configuration = folder / "sentinel.conf"
        configuration.write_text("\n".join(lines) + "\n")
        return [configuration.name, "--sentinel"]

    async def _answering_pid(self, port: int) -> int | None:
        async with Redis(host=LOOPBACK, port=port, password=self._password, socket_timeout=1) as client:
            try:
                return int((await client.info("server"))["process_id"])
            except (RedisError, OSError):
                return None


@dataclass(frozen=True)
class Cluster:
    """A master, its replica, and three sentinels that fail over within seconds."""

    master: EmbeddedRedis
    replica: EmbeddedRedis
    sentinels: Sequence[Sentinel]

    @property
    def url(self) -> str:
        return sentinel_url(*self.sentinels)


def sentinel_url(*sentinels: Sentinel, master: str = MASTER, options: str = "") -> str:
    """Return the REDIS_URL of a master that the sentinels watch."""
    return f"redis+sentinel://{','.join(f'{LOOPBACK}:{sentinel.port}' for sentinel in sentinels)}/{master}{options}"


@asynccontextmanager
async def started_cluster() -> AsyncIterator[Cluster]:
    """Start a cluster and wait until it can fail over."""
    async with (
        EmbeddedRedis() as master,
        Replica(master) as replica,
        Sentinel() as a,
        Sentinel() as b,
        Sentinel() as c,
    ):
        sentinels = [a, b, c]
        await together(*(sentinel.monitor(master.port, quorum=2, down_after_ms=500) for sentinel in sentinels))

        async def ready() -> bool:
            return all(await asyncio.gather(*(sentinel.knows(sentinels=2, replicas=1) for sentinel in sentinels)))

        await wait_until(ready, seconds=20, failure=lambda: "the sentinels did not find each other")
        yield Cluster(master, replica, sentinels)
