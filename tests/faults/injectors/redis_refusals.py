"""A Redis that answers and refuses writes: demoted, out of memory, unable to save. Real ways to each."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis


@asynccontextmanager
async def demoted(redis: "Redis[bytes]") -> AsyncIterator[None]:
    """Make the server a replica of nobody who answers within the block: writes are refused with READONLY."""
    await redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        yield
    finally:
        await redis.execute_command("REPLICAOF", "NO", "ONE")


@asynccontextmanager
async def memory_full(redis: "Redis[bytes]") -> AsyncIterator[None]:
    """Lower `maxmemory` to a byte within the block: writes that need memory are answered with OOM.

    The server's `maxmemory-policy` has to be `noeviction`, or it deletes what it holds instead.
    """
    earlier = await redis.config_get("maxmemory")
    await redis.config_set("maxmemory", "1")
    try:
        yield
    finally:
        await redis.config_set("maxmemory", earlier["maxmemory"])


@asynccontextmanager
async def saving_fails(redis: "Redis[bytes]", folder: Path) -> AsyncIterator[None]:
    """Let a snapshot fail within the block, as a broken disk would: writes are answered with MISCONF.

    `folder` is the server's data folder (`CONFIG GET dir`), on this machine. A good snapshot ends the refusals and
    stays in the folder.
    """
    rdb = folder / (await redis.config_get("dbfilename"))["dbfilename"]
    earlier = await redis.config_get("save")
    rdb.unlink(missing_ok=True)
    # A folder that is not empty cannot be replaced by the finished snapshot, whoever the server runs as.
    rdb.mkdir()
    (rdb / "filler").touch()
    # Without a save point Redis does not mind.
    await redis.config_set("save", "3600 1")
    try:
        await _snapshot(redis, "err")
        yield
    finally:
        (rdb / "filler").unlink()
        rdb.rmdir()
        await _snapshot(redis, "ok")
        await redis.config_set("save", earlier["save"])


async def _snapshot(redis: "Redis[bytes]", status: str) -> None:
    await redis.bgsave()
    while True:
        persistence = await redis.info("persistence")
        if not persistence["rdb_bgsave_in_progress"] and persistence["rdb_last_bgsave_status"] == status:
            return
        await asyncio.sleep(0.02)
