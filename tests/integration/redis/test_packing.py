"""A connection whose calls need neither a task nor a timer sees all that redis-py's would see."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.support.waiting import until
from worker.embedded import EmbeddedRedis
from worker.redis.client import open_pool
from worker.redis.packing import PackingConnection
from worker.settings import load_settings


@pytest.fixture
async def connection(redis_server: EmbeddedRedis) -> AsyncIterator[PackingConnection]:
    pool = open_pool(load_settings(redis_url=redis_server.url))
    connection = await pool.get_connection()
    yield connection
    await pool.release(connection)
    await pool.disconnect()


async def _call(connection: PackingConnection, *command: Any) -> Any:
    await connection.send_command(*command)
    return await connection.read_response()


async def test_a_call_makes_no_task(connection: PackingConnection) -> None:
    made: list[str] = []

    def note(
        loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any
    ) -> "asyncio.Task[Any]":
        made.append(repr(work))
        return asyncio.Task(work, loop=loop, **options)

    loop = asyncio.get_running_loop()
    loop.set_task_factory(note)  # type: ignore[arg-type]  # typeshed wants a generator, too
    try:
        assert await _call(connection, "ECHO", b"x") == b"x"
        assert not await connection.can_read_destructive()
    finally:
        loop.set_task_factory(None)
    assert made == []


@pytest.mark.parametrize("size", [1, 60_000, 70_000, 20_000_000])
async def test_a_command_of_any_size_arrives(connection: PackingConnection, size: int) -> None:
    value = b"x" * size
    assert await _call(connection, "ECHO", value) == value


async def test_commands_that_pile_up_wait_until_the_transport_has_room(connection: PackingConnection) -> None:
    value, count = b"x" * 50_000, 400
    most = 0
    answers = asyncio.create_task(_answers(connection, count))
    for _ in range(count):
        await connection.send_command("ECHO", value)
        most = max(most, connection._writer.transport.get_write_buffer_size())
    assert await answers == [value] * count
    _, high = connection._writer.transport.get_write_buffer_limits()
    assert most <= high + len(value) + 100


async def _answers(connection: PackingConnection, count: int) -> list[bytes]:
    return [await connection.read_response() for _ in range(count)]


async def test_an_answer_that_nobody_reads_is_seen(connection: PackingConnection) -> None:
    assert not await connection.can_read_destructive()
    await connection.send_command("ECHO", b"late")

    async def was_seen() -> bool:
        return bool(await connection.can_read_destructive())

    await until(was_seen)
    assert await connection.read_response() == b"late"
    # Two answers that arrive together: the second waits in the parser.
    await connection.send_packed_command([b"*1\r\n$4\r\nPING\r\n" * 2])
    assert await connection.read_response() == b"PONG"
    assert await connection.can_read_destructive()


async def test_a_connection_that_the_server_has_closed_is_seen(
    connection: PackingConnection, redis_server: EmbeddedRedis
) -> None:
    number = await _call(connection, "CLIENT", "ID")
    async with Redis.from_url(redis_server.url) as other:
        await other.execute_command("CLIENT", "KILL", "ID", number)

    async def was_seen() -> bool:
        try:
            return bool(await connection.can_read_destructive())
        except RedisConnectionError:
            return True

    await until(was_seen)
    await connection.disconnect()
    assert await _call(connection, "PING") == b"PONG"
