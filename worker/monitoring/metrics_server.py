"""The endpoint that Prometheus reads: `GET /metrics`, and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from worker.errors import ConfigurationError
from worker.monitoring.metrics_text import CONTENT_TYPE, as_text
from worker.monitoring.samples import Samples

_READ_S = 5.0
_LONGEST_REQUEST = 16 * 1024
_TEXT = "text/plain; charset=utf-8"


class MetricsServer:
    """Answers on one address, in the event loop that it was started in.

    `collect` returns the values. Each answer takes a few milliseconds and closes its connection. A client that
    sends no request, or does not read the answer, is disconnected after 5 s, so it occupies only one socket.
    """

    def __init__(self, collect: Callable[[], Awaitable[Samples]]) -> None:
        self._collect = collect
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> Self:
        """Listen; port 0 is any free one. Raises `ConfigurationError` if the address cannot be used."""
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=_LONGEST_REQUEST)
        except OSError as error:
            raise ConfigurationError(
                f"WORKER_METRICS_PORT: cannot listen on {host}:{port} ({error.strerror or type(error).__name__}); "
                "choose another port, one for each worker process, or let one `hospital-worker run` serve all"
            ) from None
        return self

    @property
    def address(self) -> str:
        """Where it listens, as `HOST:PORT`."""
        if self._server is None:
            return ""
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_READ_S):
                head = await reader.readuntil(b"\r\n\r\n")
            status, kind, body = await self._answer(head)
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                "Connection: close\r\n\r\n".encode()
                + (b"" if head.startswith(b"HEAD ") else body)
            )
            async with asyncio.timeout(_READ_S):
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # The other side is gone, slow, or speaks something else.
            pass
        finally:
            writer.close()

    async def _answer(self, head: bytes) -> tuple[str, str, bytes]:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return "405 Method Not Allowed", _TEXT, b"only GET\n"
        if path != b"/metrics":
            return "404 Not Found", _TEXT, b"only /metrics\n"
        return "200 OK", CONTENT_TYPE, as_text(await self._collect())
