"""Makes a real Redis answer but refuse writes: demoted to a replica, out of memory, or unable to save."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis


@asynccontextmanager
async def demoted(redis: "Redis[bytes]") -> AsyncIterator[None]:
    """Make the server a replica of an unreachable primary within the block: it refuses writes with READONLY."""
    await redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        yield
    finally:
        await redis.execute_command("REPLICAOF", "NO", "ONE")


@asynccontextmanager
async def memory_full(redis: "Redis[bytes]") -> AsyncIterator[None]:
    """Lower `maxmemory` to one byte within the block: the server refuses writes that need memory with OOM.

    The server's `maxmemory-policy` must be `noeviction`; otherwise the server deletes its keys instead.
    """
    previous = await redis.config_get("maxmemory")
    await redis.config_set("maxmemory", "1")
    try:
        yield
    finally:
        await redis.config_set("maxmemory", previous["maxmemory"])


@asynccontextmanager
async def saving_fails(redis: "Redis[bytes]", folder: Path) -> AsyncIterator[None]:
    """Make a snapshot fail within the block, as with a broken disk: the server refuses writes with MISCONF.

    `folder` is the server's data folder (`CONFIG GET dir`), on this machine. A successful snapshot ends the
    refusals; its file stays in the folder.
    """
    rdb = folder / (await redis.config_get("dbfilename"))["dbfilename"]
    previous = await redis.config_get("save")
    rdb.unlink(missing_ok=True)
    # The finished snapshot cannot replace a folder that is not empty, whichever user the server runs as.
    rdb.mkdir()
    (rdb / "filler").touch()
    # Without a save point, Redis accepts writes even after a failed snapshot.
    await redis.config_set("save", "3600 1")
    try:
        await _snapshot(redis, "err")
        yield
    finally:
        (rdb / "filler").unlink()
        rdb.rmdir()
        await _snapshot(redis, "ok")
        await redis.config_set("save", previous["save"])


async def _snapshot(redis: "Redis[bytes]", status: str) -> None:
    await redis.bgsave()
    while True:
        persistence = await redis.info("persistence")
        if not persistence["rdb_bgsave_in_progress"] and persistence["rdb_last_bgsave_status"] == status:
            return
        await asyncio.sleep(0.02)
