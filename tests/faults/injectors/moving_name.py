"""A host name that leads to a Redis and moves to its replica, as a cloud's endpoint does in a fail-over."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Self

from redis.asyncio import Redis

from tests.faults.injectors.proxy import Proxy
from worker.embedded import EmbeddedRedis

_IN_SYNC_WITHIN_S = 30.0


class MovingName:
    """Two Redis servers behind one name; enter it with `async with`.

    The name is a proxy, so that it can move. Producers reach it at `url`, workers over `workers_link`, which can be
    slowed. `primary` is the server to which the name leads now, `replica` the other one: both change at a move.
    Each server comes back as a primary when it is killed and started again.
    """

    def __init__(self) -> None:
        # Accepted means on disk, whichever server is the primary.
        self.primary, self.replica = EmbeddedRedis(appendfsync="always"), EmbeddedRedis(appendfsync="always")
        self._stack = AsyncExitStack()
        self._producers_link: Proxy
        self.workers_link: Proxy
        self.moved_at = 0.0

    @property
    def url(self) -> str:
        """Where producers and operators find Redis."""
        return f"redis://127.0.0.1:{self._producers_link.port}/0"

    @property
    def workers_url(self) -> str:
        """Where workers find Redis."""
        return f"redis://127.0.0.1:{self.workers_link.port}/0"

    async def fail_over(self) -> None:
        """Exchange the roles without losing a write, then move the name."""
        await self.until_linked()
        async with direct(self.primary) as primary, direct(self.replica) as replica:
            # Refuses writes until the replica has everything, and then makes the primary its replica.
            await primary.execute_command("FAILOVER", "TO", "127.0.0.1", self.replica.port)
            await _until_role(replica, "master")
            await _until_role(primary, "slave")
        self._move()

    async def promote(self) -> None:
        """Make a primary of the replica and move the name; nothing is said to the old primary."""
        async with direct(self.replica) as replica:
            await replica.execute_command("REPLICAOF", "NO", "ONE")
        self._move()

    async def until_linked(self) -> None:
        """Wait until the replica receives each write of the primary, and keeps it on its disk."""
        async with (
            direct(self.primary) as primary,
            direct(self.replica) as replica,
            asyncio.timeout(_IN_SYNC_WITHIN_S),
        ):
            # Its append-only file is written anew after each full copy, and incomplete until then.
            while not (await _sends_to_replica(primary) and await _has_its_file(replica)):
                await asyncio.sleep(0.02)

    async def until_copied(self) -> None:
        """Wait until the replica has everything that the primary has, for which nobody may write."""
        await self.until_linked()
        async with direct(self.primary) as primary, asyncio.timeout(_IN_SYNC_WITHIN_S):
            while True:
                state = await primary.info("replication")
                if state["slave0"]["offset"] == state["master_repl_offset"]:
                    return
                await asyncio.sleep(0.01)

    def _move(self) -> None:
        self.primary, self.replica = self.replica, self.primary
        for link in (self._producers_link, self.workers_link):
            link.move("127.0.0.1", self.primary.port)
        self.moved_at = time.monotonic()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for server in (self.primary, self.replica):
                await stack.enter_async_context(server)
                async with direct(server) as redis:
                    # By default a replica waits for 5 s, because others might want a copy too.
                    await redis.config_set("repl-diskless-sync-delay", 0)
            self._producers_link, self.workers_link = [
                await stack.enter_async_context(Proxy("127.0.0.1", self.primary.port)) for _ in range(2)
            ]
            async with direct(self.replica) as replica:
                await replica.execute_command("REPLICAOF", "127.0.0.1", self.primary.port)
            await self.until_linked()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()


@asynccontextmanager
async def direct(server: EmbeddedRedis) -> "AsyncIterator[Redis[bytes]]":
    """A client of one server, whatever its role is and wherever the name leads."""
    async with Redis.from_url(server.url, socket_timeout=10) as redis:
        yield redis


async def _sends_to_replica(primary: "Redis[bytes]") -> bool:
    state: dict[str, Any] = (await primary.info("replication")).get("slave0", {})
    return state.get("state") == "online"


async def _has_its_file(replica: "Redis[bytes]") -> bool:
    state = await replica.info()
    busy = ("loading", "aof_rewrite_in_progress", "aof_rewrite_scheduled")
    return state.get("master_link_status") == "up" and not any(state[what] for what in busy)


async def _until_role(redis: "Redis[bytes]", role: str) -> None:
    async with asyncio.timeout(10):
        while (await redis.info("replication"))["role"] != role:
            await asyncio.sleep(0.01)
