"""The page for operators as a process of its own; its arguments are the port and the seconds between two looks."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx

from tests.acceptance.conftest import Site
from tests.integration.monitoring.dashboard.conftest import PASSWORD
from worker.embedded.ports import choose_port
from worker.mongo.client import open_mongo
from worker.monitoring.dashboard.passwords import hash_password
from worker.monitoring.dashboard.server import server_of
from worker.monitoring.dashboard.services import Services
from worker.redis.client import open_redis
from worker.settings import load_settings


@asynccontextmanager
async def page_process(site: Site, *, port: int = 0, interval_s: float = 0.2) -> AsyncIterator[tuple[str, int]]:
    """Serve the page over the test's own Redis and registry; yields its address and its process id."""
    port = port or choose_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, str(port), str(interval_s)),
        env={**os.environ, **site.environment, "DASHBOARD_USERS": f"viewer:viewer:{hash_password(PASSWORD)}"},
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:

            async def answers() -> bool:
                with suppress(httpx.TransportError):
                    return (await client.get("/login")).status_code == 200
                return False

            await site.until(answers, 60)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        await process.wait()


async def _serve(port: int, interval_s: float) -> None:
    settings = load_settings()
    redis, mongo = open_redis(settings), open_mongo(settings)
    services = Services.of(settings, redis, mongo, is_secure=False)
    services.watcher._interval_s = interval_s
    try:
        await server_of(services, "127.0.0.1", port).serve()
    finally:
        await redis.aclose(close_connection_pool=True)
        await mongo.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
