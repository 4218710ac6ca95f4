import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable

import pytest

from worker.codec import Codec
from worker.embedded import EmbeddedServers
from worker.queue.connection import open_redis
from worker.queue.heartbeat import Heartbeat, ready_workers
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


async def test_processes_are_kept_running_and_stopped_together(servers: EmbeddedServers) -> None:
    redis = open_redis(load_settings(redis_url=servers.redis.url), Codec())
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "worker",
        "run",
        "--processes",
        "2",
        env={**os.environ, **servers.environment()},
        stderr=asyncio.subprocess.PIPE,
    )
    try:

        def ready() -> "asyncio.Future[list[Heartbeat]]":
            return asyncio.ensure_future(ready_workers(redis))

        both = {worker.pid for worker in await until(ready, lambda found: len(found) == 2)}
        victim = min(both)
        os.kill(victim, signal.SIGKILL)
        again = await until(ready, lambda found: len({worker.pid for worker in found} - {victim}) == 2)
        assert len({worker.pid for worker in again} - both) == 1

        supervisor.send_signal(signal.SIGTERM)
        async with asyncio.timeout(40):
            _, log = await supervisor.communicate()
        assert supervisor.returncode == 0
        assert b"worker_ended" in log
        assert [worker.pid for worker in await ready_workers(redis) if worker.pid != victim] == []
    finally:
        if supervisor.returncode is None:
            supervisor.kill()
            await supervisor.wait()
        await redis.aclose(close_connection_pool=True)
