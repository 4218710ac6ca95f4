"""One private mongod: a member of a replica set, or a standalone."""

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from worker.embedded.binaries import find_mongod
from worker.embedded.errors import EmbeddedServerError
from worker.embedded.folders import DataFolder
from worker.embedded.ports import LOOPBACK
from worker.embedded.server import PrivateServer

REPLICA_SET = "registry"
_PROBE_MS, _COMMAND_MS = 1_000, 10_000
_CACHE_GB = "0.25"
_OPLOG_MB = "990"  # the minimum that mongod accepts
_IN_SET = ("--replSet", REPLICA_SET, "--oplogSize", _OPLOG_MB)
_ALONE = ()
# Outside the set each member would make a collection of sessions of its own, and abort later, because the primary's
# has another identifier.
_APART = ("--setParameter", "disableLogicalSessionCacheRefresh=true")
_RECOVERING = (
    *_APART,
    *("--setParameter", "recoverFromOplogAsStandalone=true"),
    *("--setParameter", "takeUnstableCheckpointOnShutdown=true"),
)
# It contains the process id of a mongod that runs or was killed, and is empty after a clean stop.
_DATABASE, _LOCK = "db", "mongod.lock"


class MongoMember(PrivateServer):
    """One mongod of a private MongoDB. Stopping it keeps its data."""

    def __init__(
        self, index: int, data: DataFolder, *, standalone: bool, test_commands: bool, start_timeout: float
    ) -> None:
        super().__init__("mongod", data, f"member-{index}", start_timeout=start_timeout)
        self.index = index
        self._options: Sequence[str] = _ALONE if standalone else _IN_SET
        self._test_commands = test_commands

    @property
    def address(self) -> str:
        """Host and port, as the replica set's configuration writes them."""
        return f"{LOOPBACK}:{self.port}"

    async def command(self, name: str, value: object = 1, **arguments: object) -> Mapping[str, Any]:
        """Run a command of database `admin` on this member, for at most 10 s. Raises PyMongoError."""
        return await _run_command(self.port, _COMMAND_MS, name, value, **arguments)

    async def hello(self) -> Mapping[str, Any] | None:
        """The member's own report of its state; None if it is not running or does not answer."""
        if not self.running:
            return None
        try:
            return await _run_command(self.port, _PROBE_MS, "hello")
        except PyMongoError:
            return None

    async def start_alone(self) -> None:
        """Start outside the replica set, so that its stored configuration can be changed."""
        lock = self._data.open() / self._subfolder / _DATABASE / _LOCK
        if lock.is_file() and lock.stat().st_size:
            await self._recover()
        await self._start_with(_APART)

    async def _recover(self) -> None:
        """Apply what a member that was killed has only in its oplog: outside the set it would be forgotten.

        A member that was killed before its first checkpoint has no data to recover, and mongod exits then.
        """
        with contextlib.suppress(EmbeddedServerError):
            await self._start_with(_RECOVERING)
        await self.stop()

    async def _start_with(self, options: Sequence[str]) -> None:
        member, self._options = self._options, options
        try:
            await self.start()
        finally:
            self._options = member

    async def rewrite_addresses(self, addresses: Sequence[str]) -> None:
        """Change the members' addresses in the stored configuration. Raises PyMongoError.

        MongoDB's manual describes this procedure for a set whose members are all stopped.
        """
        hosts = {f"members.{index}.host": address for index, address in enumerate(addresses)}
        async with _client(self.port, _COMMAND_MS) as client:
            await client["local"]["system.replset"].update_one(
                {"_id": REPLICA_SET}, {"$set": hosts, "$inc": {"version": 1}}
            )

    def _find_binary(self) -> Path:
        return find_mongod(os.environ)

    def _arguments(self, folder: Path, port: int) -> Sequence[str]:
        database = folder / _DATABASE
        database.mkdir(mode=0o700, exist_ok=True)
        arguments = [
            *("--dbpath", str(database), "--port", str(port), "--bind_ip", LOOPBACK),
            *("--nounixsocket", "--quiet", "--wiredTigerCacheSizeGB", _CACHE_GB),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            # By default a primary that is asked to stop gives its clients 15 s to finish.
            *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"),
        ]
        arguments += self._options
        if self._test_commands:
            arguments += ["--setParameter", "enableTestCommands=1"]
        return arguments

    async def _answering_pid(self, port: int) -> int | None:
        try:
            # A MongoDB client would retry only after half a second, so try to connect first.
            _, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.close()
            return int((await _run_command(port, _PROBE_MS, "serverStatus"))["pid"])
        except (PyMongoError, OSError):
            return None


def _client(port: int, timeout_ms: int) -> AsyncMongoClient[dict[str, Any]]:
    return AsyncMongoClient(
        LOOPBACK,
        port,
        directConnection=True,
        serverSelectionTimeoutMS=timeout_ms,
        connectTimeoutMS=timeout_ms,
        socketTimeoutMS=timeout_ms,
    )


async def _run_command(
    port: int, timeout_ms: int, name: str, value: object = 1, **arguments: object
) -> Mapping[str, Any]:
    async with _client(port, timeout_ms) as client:
        answer: Mapping[str, Any] = await client.admin.command({name: value, **arguments})
        return answer
