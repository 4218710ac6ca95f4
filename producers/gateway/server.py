"""Serves the gateway until it is stopped."""

from collections.abc import Callable

import uvicorn

from producers.gateway.app import create_app
from producers.gateway.services import open_services
from worker.settings import Settings

# What is answered by then is answered; waiting requests and open streams end with this.
_GRACE_S = 5
_MOST_CONNECTIONS = 5_000


async def serve(
    settings: Settings, host: str, port: int, *, is_behind_proxy: bool, on_start: Callable[[], None]
) -> None:
    """Serve the gateway at an address until SIGINT or SIGTERM.

    Raises `ConfigurationError` before, if the settings do not allow it; otherwise calls `on_start` first.
    """
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            # Only behind a proxy is the address of a client another one than that of the connection.
            proxy_headers=is_behind_proxy,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )
    # Once for the errors of the settings, which are one line here and a traceback in the application's start.
    async with open_services(settings):
        on_start()
    await server.serve()
