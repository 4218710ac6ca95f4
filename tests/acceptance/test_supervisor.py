import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from arq.connections import ArqRedis

from worker.codec import Codec
from worker.embedded import EmbeddedServers
from worker.engine.arq_redis import open_arq_redis
from worker.queue import keys
from worker.queue.heartbeats import Heartbeat, ready_workers
from worker.settings import load_settings


@pytest.fixture
async def servers() -> AsyncIterator[EmbeddedServers]:
    async with EmbeddedServers() as servers:
        yield servers


async def until(
    ready: Callable[[], "asyncio.Future[list[Heartbeat]]"], wanted: Callable[[list[Heartbeat]], bool]
) -> list[Heartbeat]:
    async with asyncio.timeout(60):
        while not wanted(found := await ready()):
            await asyncio.sleep(0.05)
    return found


@asynccontextmanager
async def supervising(servers: EmbeddedServers) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", "run", "--processes", "2"),
        env={**os.environ, **servers.environment()},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
async def redis(servers: EmbeddedServers) -> AsyncIterator[ArqRedis]:
    redis = open_arq_redis(load_settings(redis_url=servers.redis.url), Codec())
    yield redis
    await redis.aclose(close_connection_pool=True)


async def two_of(redis: ArqRedis) -> set[int]:
    """Wait for two ready workers, and return their pids."""
    found = await until(lambda: asyncio.ensure_future(ready_workers(redis)), lambda found: len(found) == 2)
    return {worker.pid for worker in found}


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_processes_are_kept_running_and_stopped_together(servers: EmbeddedServers, redis: ArqRedis) -> None:
    async with supervising(servers) as supervisor:
        both = await two_of(redis)
        victim = min(both)
        os.kill(victim, signal.SIGKILL)
        again = await until(
            lambda: asyncio.ensure_future(ready_workers(redis)),
            lambda found: len({worker.pid for worker in found} - {victim}) == 2,
        )
        assert len({worker.pid for worker in again} - both) == 1

        supervisor.send_signal(signal.SIGTERM)
        async with asyncio.timeout(40):
            _, log = await supervisor.communicate()
        assert supervisor.returncode == 0
        assert b"worker_ended" in log
        assert [worker.pid for worker in await ready_workers(redis) if worker.pid != victim] == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux notifies a process when its parent dies")
async def test_no_worker_outlives_a_killed_supervisor(servers: EmbeddedServers, redis: ArqRedis) -> None:
    async with supervising(servers) as supervisor:
        both = await two_of(redis)
        supervisor.kill()
        async with asyncio.timeout(40):
            await supervisor.communicate()
            while any(is_running(pid) for pid in both):
                await asyncio.sleep(0.05)
    # They stopped cleanly: each has removed its heartbeat.
    assert await redis.hlen(keys.WORKERS) == 0


async def test_closing_the_terminal_stops_all_processes(servers: EmbeddedServers, redis: ArqRedis) -> None:
    async with supervising(servers) as supervisor:
        both = await two_of(redis)
        supervisor.send_signal(signal.SIGHUP)
        async with asyncio.timeout(40):
            await supervisor.communicate()
        assert supervisor.returncode == 0
        assert not any(is_running(pid) for pid in both)
