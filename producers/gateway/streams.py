"""Server-sent events: the life of a job or of an import, as it happens."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi.responses import Response, StreamingResponse

from producers.gateway.answers import to_json
from producers.gateway.metrics import GatewayMetrics
from producers.gateway.problems import HEADERS, as_problem, unavailable
from worker.errors import RegistryError

KEEP_ALIVE = b": still here\n\n"
"""A comment, so that proxies and clients see that the stream lives."""
KEEP_ALIVE_S = 15.0
MOST_STREAMS = 1_000
_MEDIA_TYPE = "text/event-stream"
EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {_MEDIA_TYPE: {"schema": {"type": "string"}}}}}
"""What the OpenAPI document says of a stream."""


def event(name: str, content: object) -> bytes:
    """Return one event."""
    return b"event: " + name.encode() + b"\ndata: " + to_json(content) + b"\n\n"


class Streams:
    """The open streams of this process. Each ends when what it shows has ended, or when its client leaves."""

    def __init__(self, metrics: GatewayMetrics) -> None:
        self._metrics = metrics
        self._open = 0

    def answer(self, events: AsyncGenerator[bytes, None]) -> Response:
        """Return an answer that sends events to their end. Raises `Problem` if too many streams are open.

        An error of this service ends it with an event `problem`; a client that connects again goes on.
        """
        if self._open >= MOST_STREAMS:
            raise unavailable(f"{MOST_STREAMS:,} streams are open.")
        return StreamingResponse(self._counted(events), headers=HEADERS, media_type=_MEDIA_TYPE)

    async def _counted(self, events: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
        self._open += 1
        self._metrics.streams.inc()
        try:
            async with aclosing(events):
                async for sent in events:
                    yield sent
        except RegistryError as error:
            yield event("problem", as_problem(error).content())
        finally:
            self._open -= 1
            self._metrics.streams.dec()
