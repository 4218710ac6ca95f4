"""Redis connections under uvloop, the event loop of the worker."""

import asyncio
from functools import partial

import pytest
import uvloop
from redis.exceptions import ConnectionError as RedisConnectionError

from worker.redis.packing import PackingConnection


async def _serve(
    closed: "asyncio.Future[None]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while await reader.read(1_000):
        writer.write(b"+OK\r\n" * 2)
    writer.close()
    await writer.wait_closed()
    closed.set_result(None)


async def _send_on_a_closed_transport() -> None:
    closed = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(partial(_serve, closed), "127.0.0.1", 0)
    async with server:
        connection = PackingConnection(
            host="127.0.0.1", port=server.sockets[0].getsockname()[1], socket_timeout=5, protocol=2
        )
        await connection.connect()
        connection._writer.transport.abort()
        await asyncio.sleep(0)
        try:
            await connection.send_command("PING")
        finally:
            await connection.disconnect()
            await closed


def test_sending_on_a_closed_transport_raises_a_connection_error() -> None:
    """uvloop raises a RuntimeError here, which would stop the worker."""
    with pytest.raises(RedisConnectionError, match="connection was closed"):
        uvloop.run(_send_on_a_closed_transport())
