"""A private redis-server with an append-only file."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.embedded.binaries import find_redis_server
from worker.embedded.errors import EmbeddedServerError
from worker.embedded.folders import DataFolder
from worker.embedded.lifetime import StartedInWith
from worker.embedded.ports import LOOPBACK
from worker.embedded.server import PrivateServer

_PROBE_SECONDS = 1.0
# The Valkey of the extra `embedded` uses the C library's allocator. By default that joins small free pieces of
# memory, and then each job of a queue of a million takes a fifth more time than one of a short queue.
_ALLOCATOR = "glibc.malloc.tcache_count=65535:glibc.malloc.mxfast=160"


class EmbeddedRedis(PrivateServer, StartedInWith):
    """A private redis-server.

    `data_dir` is kept, so that a later run can use its data; without it the data is in a temporary
    folder until `stop`. With `appendfsync="always"` every acknowledged write survives a crash of the
    machine. With "everysec" such a crash can lose the last second, and a crash of Redis alone can lose writes
    that were acknowledged while an earlier write to a slow disk was in progress.
    """

    def __init__(
        self,
        *,
        data_dir: Path | None = None,
        password: str | None = None,
        appendfsync: Literal["everysec", "always"] = "everysec",
        start_timeout: float = 30.0,
    ) -> None:
        if password is not None and not (password.isascii() and password.isalnum()):
            raise EmbeddedServerError("the private redis-server's password must be ASCII letters and digits")
        super().__init__("redis-server", DataFolder(data_dir), "redis", start_timeout=start_timeout)
        self._password = password
        self._appendfsync = appendfsync

    @property
    def url(self) -> str:
        """The server's address, with its password if it has one."""
        return self._url(self.port)

    async def stop(self) -> None:
        """Stop the server cleanly and remove its data if it is temporary."""
        await super().stop()
        self._data.discard()

    def _url(self, port: int) -> str:
        login = f":{self._password}@" if self._password else ""
        return f"redis://{login}{LOOPBACK}:{port}/0"

    def _environment(self) -> Mapping[str, str]:
        return {"GLIBC_TUNABLES": _ALLOCATOR, **os.environ}

    def _find_binary(self) -> Path:
        return find_redis_server(os.environ)

    def _arguments(self, folder: Path, port: int) -> Sequence[str]:
        lines = [
            f"bind {LOOPBACK}",
            f"port {port}",
            "dir .",
            "daemonize no",
            "appendonly yes",
            f"appendfsync {self._appendfsync}",
            'save ""',
            "maxmemory-policy noeviction",
        ]
        if self._password:
            lines.append(f"requirepass {self._password}")
        # In a file, because every user of the machine can read a process's arguments.
        configuration = folder / "redis.conf"
        configuration.touch(mode=0o600)
        configuration.write_text("\n".join(lines) + "\n")
        return [configuration.name]

    async def _answering_pid(self, port: int) -> int | None:
        client = Redis.from_url(
            self._url(port), socket_timeout=_PROBE_SECONDS, socket_connect_timeout=_PROBE_SECONDS
        )
        try:
            await client.ping()
            return int((await client.info("server"))["process_id"])
        except (RedisError, OSError):
            return None
        finally:
            await client.aclose()
