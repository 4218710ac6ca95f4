"""A worker with a connection pool that its user has made, as arq's `redis_pool`."""

import asyncio
from typing import Any

import pytest
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.worker import func
from redis.asyncio.connection import BlockingConnectionPool
from redis.credentials import UsernamePasswordCredentialProvider

from tests.faults.injectors.proxy import Proxy
from tests.support.waiting import until
from worker.codec import Codec
from worker.embedded import EmbeddedRedis
from worker.engine.arq_redis import open_arq_redis
from worker.engine.worker import LeaseWorker
from worker.settings import load_settings

LEASE_S = 1


async def test_leases_are_renewed_with_the_login_of_the_pool(own_redis: EmbeddedRedis) -> None:
    runs: list[str] = []
    ended = asyncio.Event()

    async def slow(ctx: dict[str, Any]) -> None:
        runs.append(ctx["job_id"])
        await asyncio.sleep(2.5 * LEASE_S)
        ended.set()

    admin = ArqRedis.from_url(own_redis.url)
    await admin.config_set("requirepass", "secret")

    def opened() -> ArqRedis:
        login = UsernamePasswordCredentialProvider(None, "secret")
        return ArqRedis(BlockingConnectionPool.from_url(own_redis.url, credential_provider=login))

    # The second would take the job when its lease ends.
    settings: dict[str, Any] = {"lease": LEASE_S, "handle_signals": False, "poll_delay": 0.1}
    workers = [LeaseWorker([func(slow, name="slow")], redis_pool=opened(), **settings) for _ in "ab"]
    tasks = [asyncio.create_task(worker.async_run()) for worker in workers]
    try:
        await workers[0].pool.enqueue_job("slow")
        async with asyncio.timeout(20):
            await ended.wait()
        assert len(runs) == 1
    finally:
        for worker in workers:
            await worker.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        await admin.aclose(close_connection_pool=True)


@pytest.mark.parametrize("waits_when_full", [False, True])
async def test_the_pool_follows_a_name_that_moves(own_redis: EmbeddedRedis, waits_when_full: bool) -> None:
    ran: list[str] = []

    async def quick(ctx: dict[str, Any]) -> None:
        ran.append(ctx["job_id"])

    async with EmbeddedRedis() as successor, Proxy("127.0.0.1", own_redis.port) as name:
        url = f"redis://127.0.0.1:{name.port}/0"
        if waits_when_full:
            redis = ArqRedis(BlockingConnectionPool.from_url(url))
        else:
            redis = await create_pool(RedisSettings.from_dsn(url))
        urls = own_redis.url, successor.url
        old, new = (open_arq_redis(load_settings(redis_url=url), Codec()) for url in urls)
        worker = LeaseWorker([func(quick, name="quick")], redis_pool=redis, handle_signals=False, poll_delay=0.1)
        task = asyncio.create_task(worker.async_run())
        try:
            await redis.enqueue_job("quick", _job_id="before")
            await until(lambda: "before" in ran)
            await old.execute_command("REPLICAOF", "127.0.0.1", "1")
            name.move("127.0.0.1", successor.port)
            await new.enqueue_job("quick", _job_id="after")
            await until(lambda: "after" in ran, 5)
            assert sorted(ran) == ["after", "before"]
        finally:
            await worker.close()
            await asyncio.gather(task, return_exceptions=True)
            for client in (old, new):
                await client.aclose(close_connection_pool=True)
