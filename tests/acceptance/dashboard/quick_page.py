"""The page for operators as a process that looks at the queues every few milliseconds; its argument is the port."""

import asyncio
import sys

from worker.mongo.client import open_mongo
from worker.monitoring.dashboard.server import server_of
from worker.monitoring.dashboard.services import Services
from worker.redis.client import open_redis
from worker.settings import load_settings

INTERVAL_S = 0.002


async def serve(port: int) -> None:
    settings = load_settings()
    redis, mongo = open_redis(settings), open_mongo(settings)
    services = Services.of(settings, redis, mongo, is_secure=False)
    services.watcher._interval_s = INTERVAL_S
    try:
        await server_of(services, "127.0.0.1", port).serve()
    finally:
        await redis.aclose(close_connection_pool=True)
        await mongo.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
