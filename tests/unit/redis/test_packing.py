"""Connections under uvloop, on which the worker runs."""

import asyncio
from functools import partial

import pytest
import uvloop
from redis.exceptions import ConnectionError as RedisConnectionError

from worker.redis.packing import PackingConnection


async def _answer(
    served: "asyncio.Future[None]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while await reader.read(1_000):
        writer.write(b"+OK\r\n" * 2)
    writer.close()
    await writer.wait_closed()
    served.set_result(None)


async def _send_on_a_closed_transport() -> None:
    served = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(partial(_answer, served), "127.0.0.1", 0)
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
            await served


def test_a_transport_that_is_closed_is_a_lost_connection() -> None:
    """uvloop raises a RuntimeError, which would end the worker."""
    with pytest.raises(RedisConnectionError, match="connection was closed"):
        uvloop.run(_send_on_a_closed_transport())
