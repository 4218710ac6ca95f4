"""Connections to a server, played by the test, that turns out not to be the primary."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from worker.redis import client, primary
from worker.redis.client import open_redis
from worker.redis.packing import PACKING
from worker.redis.primary import PrimaryConnection, SyncPrimaryConnection
from worker.redis.sentinel import SyncSentinelConnection, SyncSentinelSSLConnection
from worker.settings import load_settings

IN_SCRIPT = b"-ERR Error running script (call to f_0): @user_script:9: @user_script: 9: "


class Server:
    """Answers +OK to every command except those in `answers`; counts its connections."""

    def __init__(self) -> None:
        self.answers = {b"PING": b"+PONG\r\n"}
        self.silent = False
        self.port = 0
        self.made = 0
        self.open: set[asyncio.StreamWriter] = set()
        self.asked: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.made += 1
        self.open.add(writer)
        while words := await _command(reader):
            self.asked.append(words[0])
            if not self.silent:
                writer.write(self.answers.get(words[0], b"+OK\r\n"))
        self.open.discard(writer)
        writer.close()

    async def until_open(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.open) != count:
                await asyncio.sleep(0.005)


async def _command(reader: asyncio.StreamReader) -> list[bytes]:
    head = await reader.readline()
    words = []
    for _ in range(int(head[1:] or 0)):
        length = int((await reader.readline())[1:])
        words.append((await reader.readexactly(length + 2))[:-2])
    return words


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    played = Server()
    async with await asyncio.start_server(played.serve, "127.0.0.1", 0) as listening:
        played.port = listening.sockets[0].getsockname()[1]
        yield played
        for writer in list(played.open):
            writer.close()
    await played.until_open(0)


@pytest_asyncio.fixture
async def redis(server: Server) -> AsyncIterator["Redis[bytes]"]:
    opened = open_redis(load_settings(redis_url=f"redis://localhost:{server.port}/0", redis_timeout=1))
    yield opened
    await opened.aclose(close_connection_pool=True)


async def fill(redis: "Redis[bytes]", count: int = 5) -> None:
    """Leave so many idle connections in the pool."""
    pool = redis.connection_pool
    connections = [await pool.get_connection() for _ in range(count)]
    for connection in connections:
        await pool.release(connection)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"-READONLY You can't write against a read only replica.\r\n", ResponseError),
        (IN_SCRIPT + b"-READONLY You can't write against a read only replica. \r\n", ResponseError),
        (b"-MASTERDOWN Link with MASTER is down\r\n", ResponseError),
        (b"-UNBLOCKED force unblock from blocking operation, instance state changed\r\n", ResponseError),
        (b"-LOADING Redis is loading the dataset in memory\r\n", RedisConnectionError),
        (b"-NOREPLICAS Not enough good replicas to write.\r\n", ResponseError),
    ],
    ids=["READONLY", "READONLY in a script", "MASTERDOWN", "UNBLOCKED", "LOADING", "NOREPLICAS"],
)
async def test_the_answer_of_a_replica_closes_all_connections(
    server: Server, redis: "Redis[bytes]", answer: bytes, error: type[RedisError]
) -> None:
    await fill(redis)
    server.answers[b"EVALSHA"] = answer
    with pytest.raises(error):
        await redis.evalsha("0" * 40, 0)
    await server.until_open(0)
    assert await redis.execute_command("NOOP") == b"OK"
    assert (server.made, len(server.open)) == (6, 1)


async def test_a_connection_in_use_is_closed_when_it_comes_back(server: Server, redis: "Redis[bytes]") -> None:
    pool = redis.connection_pool
    used = await pool.get_connection()
    server.answers[b"SET"] = b"-READONLY You can't write against a read only replica.\r\n"
    with pytest.raises(ResponseError):
        await redis.set("k", 1)
    await server.until_open(1)
    await used.send_command("NOOP")
    assert await used.read_response() == b"OK"
    await pool.release(used)
    await server.until_open(0)


async def test_several_late_refusals_close_the_new_connections_only_once(
    server: Server, redis: "Redis[bytes]"
) -> None:
    pool = redis.connection_pool
    old = [await pool.get_connection() for _ in range(3)]
    server.answers[b"SET"] = b"-READONLY You can't write against a read only replica.\r\n"
    await _refused(old[0])
    await pool.release(old[0])
    await redis.execute_command("NOOP")
    for connection in old[1:]:
        await _refused(connection)
        await pool.release(connection)
    await server.until_open(1)
    assert server.made == 4


async def _refused(connection: Any) -> None:
    await connection.send_command("SET", "k", 1)
    with pytest.raises(ResponseError):
        await connection.read_response()


async def test_a_server_that_does_not_answer_is_waited_for_once(server: Server, redis: "Redis[bytes]") -> None:
    await fill(redis)
    server.silent = True
    with pytest.raises(RedisTimeoutError):
        await redis.execute_command("NOOP")
    server.silent = False
    await server.until_open(0)
    assert await redis.execute_command("NOOP") == b"OK"


@pytest.mark.parametrize(
    "answer",
    [
        b"-OOM command not allowed\r\n",
        b"-WRONGTYPE Operation against a key\r\n",
        b"-NOSCRIPT No matching script\r\n",
    ],
)
async def test_other_refusals_keep_the_connections(server: Server, redis: "Redis[bytes]", answer: bytes) -> None:
    await fill(redis)
    server.answers[b"SET"] = answer
    with pytest.raises(ResponseError):
        await redis.set("k", 1)
    await redis.execute_command("NOOP")
    assert server.made == 5


async def test_a_cancelled_call_closes_only_its_own_connection(server: Server, redis: "Redis[bytes]") -> None:
    await fill(redis)
    server.silent = True
    call = asyncio.create_task(redis.execute_command("NOOP"))
    async with asyncio.timeout(5):
        while b"NOOP" not in server.asked:
            await asyncio.sleep(0.005)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await server.until_open(4)


def _bulk(text: str) -> bytes:
    return f"${len(text)}\r\n{text}\r\n".encode()


@pytest.mark.parametrize(
    ("answer", "made"),
    [
        (_bulk("# Replication\r\nrole:slave\r\n"), 2),
        (_bulk("# Replication\r\nrole:master\r\n"), 1),
        # No permission, or a proxy: the first write shows the role.
        (b"-NOPERM this user has no permissions to run the 'info' command\r\n", 1),
    ],
    ids=["replica", "primary", "no permission"],
)
async def test_a_caller_that_only_reads_leaves_a_replica(
    server: Server, redis: "Redis[bytes]", monkeypatch: pytest.MonkeyPatch, answer: bytes, made: int
) -> None:
    monkeypatch.setattr(primary, "_ROLE_CHECK_S", 0.0)
    server.answers[b"INFO"] = answer
    for _ in range(2):
        assert await redis.execute_command("NOOP") == b"OK"
    assert server.made == made
    assert b"INFO" in server.asked


async def test_the_role_is_asked_for_only_now_and_then(server: Server, redis: "Redis[bytes]") -> None:
    for _ in range(100):
        await redis.execute_command("NOOP")
    assert server.asked.count(b"INFO") <= 1


async def test_the_thread_of_the_leases_leaves_a_replica_too(server: Server, redis: "Redis[bytes]") -> None:
    twin: Any = client.sync_twin(redis)
    script: Callable[..., Any] = twin.evalsha
    server.answers[b"EVALSHA"] = IN_SCRIPT + b"-READONLY You can't write against a read only replica. \r\n"
    with pytest.raises(ResponseError, match="READONLY"):
        await asyncio.to_thread(script, "0" * 40, 0)
    await server.until_open(0)
    del server.answers[b"EVALSHA"]
    assert await asyncio.to_thread(script, "0" * 40, 0) == b"OK"
    twin.close()


def test_all_kinds_of_connections_follow_the_primary() -> None:
    assert all(issubclass(kind, PrimaryConnection) for kind in PACKING.values())
    kinds = (client._SyncTcp, client._SyncTls, client._SyncUnix, SyncSentinelConnection, SyncSentinelSSLConnection)
    assert all(issubclass(kind, SyncPrimaryConnection) for kind in kinds)
    for url in ("redis://h", "rediss://h", "unix:///s", "redis+sentinel://h/m", "rediss+sentinel://h/m"):
        pool = open_redis(load_settings(redis_url=url)).connection_pool
        assert isinstance(pool, primary.PrimaryPool)
        assert issubclass(pool.connection_class, PrimaryConnection)


@pytest.mark.parametrize(("size", "for_guests"), [(20, 12), (16, 8), (8, 4), (3, 2), (2, 1)])
async def test_guests_leave_connections_to_others(server: Server, size: int, for_guests: int) -> None:
    settings = load_settings(redis_url=f"redis://localhost:{server.port}/0", redis_pool_size=size, redis_timeout=1)
    redis = open_redis(settings)
    pool = redis.connection_pool
    pool.is_guest = lambda: True
    kept = [await pool.get_connection() for _ in range(for_guests)]
    with pytest.raises(RedisConnectionError, match="No connection available"):
        await redis.ping()

    pool.is_guest = lambda: False
    kept += [await pool.get_connection() for _ in range(size - for_guests)]
    with pytest.raises(RedisConnectionError, match="No connection available"):
        await redis.ping()

    for connection in kept:
        await pool.release(connection)
    pool.is_guest = lambda: True
    assert await redis.ping()
    await redis.aclose(close_connection_pool=True)


async def test_a_guest_that_waits_gets_the_connection_of_another_guest(server: Server) -> None:
    redis = open_redis(load_settings(redis_url=f"redis://localhost:{server.port}/0", redis_pool_size=2))
    pool = redis.connection_pool
    pool.is_guest = lambda: True
    kept = await pool.get_connection()
    waiting = asyncio.create_task(redis.ping())
    await asyncio.sleep(0.01)
    assert not waiting.done()

    await pool.release(kept)
    async with asyncio.timeout(5):
        assert await waiting
    await redis.aclose(close_connection_pool=True)
