"""Serves the page until it is stopped."""

import socket
from collections.abc import Callable

import uvicorn

from worker.errors import ConfigurationError
from worker.listening import address_of
from worker.mongo.client import open_mongo
from worker.monitoring.dashboard.app import create_app
from worker.monitoring.dashboard.services import Services
from worker.redis.client import open_redis
from worker.settings import Settings

# Open streams end with this; they would keep the process from ending.
_GRACE_S = 1
_MOST_CONNECTIONS = 200


async def serve(settings: Settings, host: str, port: int, *, is_secure: bool, on_start: Callable[[], None]) -> None:
    """Serve the page at an address until SIGINT or SIGTERM.

    Raises `ConfigurationError` before, if the settings do not allow it or the address cannot be used; otherwise
    calls `on_start` first.
    """
    redis, mongo = open_redis(settings), open_mongo(settings)
    try:
        server = server_of(Services.of(settings, redis, mongo, is_secure=is_secure), host, port)
        with _bound(host, port) as bound:
            on_start()
            await server.serve(sockets=[bound])
    finally:
        await redis.aclose(close_connection_pool=True)
        await mongo.close()


def server_of(services: Services, host: str, port: int) -> uvicorn.Server:
    """Return a server that has not been started."""
    return uvicorn.Server(
        uvicorn.Config(
            create_app(services),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            # Only behind a proxy is the address of the browser another one than that of the connection.
            proxy_headers=services.is_secure,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )


def _bound(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise ConfigurationError(
            f"The page cannot listen on {address_of(host, port)} ({error.strerror or type(error).__name__}); "
            "choose another --port, or end what listens there"
        ) from None
    return bound
