import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError
from redis.exceptions import TimeoutError as RedisTimeoutError

from worker.embedded import (
    EmbeddedMongo,
    EmbeddedRedis,
    EmbeddedServerError,
    EmbeddedServers,
    PortTakenError,
    ports,
    processes,
)
from worker.embedded.processes import wait_until

# A parent process of servers, which the test kills with SIGKILL.
PARENT = """
import asyncio, os, sys
from worker.embedded import EmbeddedServers

async def main():
    servers = EmbeddedServers()
    await servers.start()
    copy = os.fork() if sys.argv[1] == "fork" else 0
    if copy == 0 and sys.argv[1] == "fork":
        # A fork of this process holds its open files.
        os.read(0, 1)
        os._exit(0)
    pids = servers.redis.pid, servers.mongo.pid
    folders = [os.path.dirname(os.readlink(f"/proc/{pid}/cwd")) for pid in pids]
    print(*pids, copy, *folders, flush=True)
    await asyncio.sleep(300)

asyncio.run(main())
"""


@asynccontextmanager
async def redis_client(url: str, **options: Any) -> AsyncIterator["Redis"]:
    client = Redis.from_url(url, **options)
    try:
        yield client
    finally:
        await client.aclose()


def start_parent(copies: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PARENT, copies], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def mongo_client(url: str) -> AsyncMongoClient[dict[str, Any]]:
    return AsyncMongoClient(url, serverSelectionTimeoutMS=10_000)


@contextmanager
def listener(port: int) -> Iterator[None]:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((ports.LOOPBACK, port))
        taken.listen()
        yield


def is_folder(path: str) -> bool:
    return Path(path).is_dir()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until_gone(*pids: int) -> None:
    async def gone() -> bool:
        return not any(alive(pid) for pid in pids)

    await wait_until(gone, seconds=10, failure=lambda: f"still alive: {[p for p in pids if alive(p)]}")


async def test_redis_starts_answers_and_leaves_nothing() -> None:
    redis = EmbeddedRedis()
    async with redis:
        pid = redis.pid
        async with redis_client(redis.url) as client:
            assert (await client.info("server"))["process_id"] == pid
            config = await client.config_get("*")
        folder = config["dir"]
        # Ctrl-C in a terminal goes to the foreground process group, which must not include the server.
        assert os.getsid(pid) != os.getsid(0)
        assert os.getpgid(pid) != os.getpgid(0)
        assert is_folder(folder)

    assert config["appendonly"] == "yes"
    assert config["appendfsync"] == "everysec"
    assert config["save"] == ""
    assert config["maxmemory-policy"] == "noeviction"
    assert config["bind"] == "127.0.0.1"
    assert not alive(pid)
    assert not is_folder(folder)


async def test_redis_answers_nothing_while_frozen() -> None:
    async with EmbeddedRedis() as redis, redis_client(redis.url, socket_timeout=0.2) as client:
        redis.freeze()
        with pytest.raises(RedisTimeoutError):
            await client.ping()
        redis.thaw()
        async with redis_client(redis.url) as patient:
            assert await patient.ping()


async def test_a_frozen_redis_can_be_stopped() -> None:
    redis = EmbeddedRedis()
    async with redis:
        pid = redis.pid
        redis.freeze()
    assert not alive(pid)


async def test_a_redis_that_ends_at_its_sigterm_is_stopped_without_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    send = processes.ServerProcess.signal

    def send_and_wait(process: processes.ServerProcess, number: signal.Signals) -> None:
        send(process, number)
        while number == signal.SIGTERM and process.running:
            time.sleep(0.01)

    async with EmbeddedRedis() as redis:
        monkeypatch.setattr(processes.ServerProcess, "signal", send_and_wait)
        await redis.stop()
        assert not redis.running


async def test_redis_comes_back_after_kill_with_data_and_port() -> None:
    async with EmbeddedRedis(appendfsync="always") as redis:
        url, pid = redis.url, redis.pid
        async with redis_client(url) as client:
            await client.set("key", "value")
        await redis.kill()
        assert not redis.running
        await redis.start()
        assert redis.url == url
        assert redis.pid != pid
        async with redis_client(url) as client:
            assert await client.get("key") == b"value"
            assert (await client.config_get("appendfsync"))["appendfsync"] == "always"
        await redis.restart()
        async with redis_client(url) as client:
            assert await client.get("key") == b"value"


async def test_redis_with_a_password_refuses_a_wrong_one() -> None:
    async with EmbeddedRedis(password="correct1") as redis:
        async with redis_client(redis.url) as client:
            assert await client.ping()
        async with redis_client(redis.url.replace("correct1", "wrong")) as client:
            with pytest.raises(AuthenticationError):
                await client.ping()


async def test_one_member_set_is_primary_and_has_transactions() -> None:
    async with EmbeddedMongo() as mongo:
        primary = await mongo.primary()
        assert (primary.pid, primary.port) == (mongo.pid, mongo.port)
        async with mongo_client(mongo.url) as client:
            assert (await client.admin.command("serverStatus"))["pid"] == mongo.pid
            collection = client.test.things
            async with client.start_session() as session, await session.start_transaction():
                await collection.insert_one({"_id": 1}, session=session)
                await collection.insert_one({"_id": 2}, session=session)
            assert await collection.count_documents({}) == 2


async def test_standalone_has_no_transactions() -> None:
    async with EmbeddedMongo(standalone=True) as mongo, mongo_client(mongo.url) as client:
        assert "setName" not in await client.admin.command("hello")
        with pytest.raises(OperationFailure, match="only allowed on a replica set"):
            async with client.start_session() as session, await session.start_transaction():
                await client.test.things.insert_one({}, session=session)


async def test_test_commands_are_allowed_only_on_request() -> None:
    async with EmbeddedMongo() as mongo:
        with pytest.raises(OperationFailure, match="no such command"):
            await mongo.members[0].command("configureFailPoint", "failCommand", mode="off")
    async with EmbeddedMongo(test_commands=True) as mongo:
        answer = await mongo.members[0].command("configureFailPoint", "failCommand", mode="off")
        assert answer["ok"] == 1


async def test_three_members_elect_another_primary_after_a_kill() -> None:
    async with EmbeddedMongo(members=3) as mongo, mongo_client(mongo.url) as client:
        await client.test.things.insert_one({"_id": 1})
        old = await mongo.primary()
        answer = await old.command("replSetGetConfig")
        # The members' default is 10 s. How long the election itself takes depends on the machine.
        assert answer["config"]["settings"]["electionTimeoutMillis"] == 2_000
        await old.kill()
        new = await mongo.primary()
        assert new is not old
        await client.test.things.insert_one({"_id": 2})
        await old.start()
        await mongo.ready()
        assert [member.running for member in mongo.members] == [True, True, True]
        assert await client.test.things.count_documents({}) == 2


async def test_three_members_elect_another_primary_while_the_old_is_frozen() -> None:
    async with EmbeddedMongo(members=3) as mongo:
        old = await mongo.primary()
        old.freeze()
        new = await mongo.primary()
        assert new is not old
        old.thaw()
        await mongo.ready()
        assert (await mongo.primary()) is new


async def test_two_pairs_of_servers_run_side_by_side_without_sharing_data() -> None:
    async with EmbeddedServers() as one, EmbeddedServers() as other:
        assert one.environment() == {"REDIS_URL": one.redis.url, "MONGODB_URL": one.mongo.url}
        async with mongo_client(one.mongo.url) as client, redis_client(one.redis.url) as redis:
            await client.test.things.insert_one({})
            await redis.set("key", "value")
        async with mongo_client(other.mongo.url) as client, redis_client(other.redis.url) as redis:
            assert await client.test.things.count_documents({}) == 0
            assert await redis.dbsize() == 0


async def test_a_redis_killed_during_a_rewrite_can_be_restarted() -> None:
    async with EmbeddedRedis() as server:
        async with redis_client(server.url) as redis:
            await redis.mset({f"key-{number}": "value" for number in range(1_000)})
            await redis.config_set("rdb-key-save-delay", 60_000_000)  # a minute for each key
            await redis.bgrewriteaof()
            assert (await redis.info("persistence"))["aof_rewrite_in_progress"]
        await server.kill()
        await server.start()
        async with redis_client(server.url) as redis:
            assert not (await redis.info("persistence"))["aof_rewrite_in_progress"]


async def test_temporary_servers_start_empty_after_a_stop() -> None:
    servers = EmbeddedServers()
    async with servers, redis_client(servers.redis.url) as redis:
        await redis.set("key", "value")
    async with servers, redis_client(servers.redis.url) as redis, mongo_client(servers.mongo.url) as client:
        assert await redis.dbsize() == 0
        assert await client.test.things.count_documents({}) == 0


@pytest.mark.parametrize(("members", "killed", "taken"), [(1, False, False), (1, True, True), (3, True, True)])
async def test_data_folder_survives_although_servers_are_killed_and_ports_taken(
    members: Literal[1, 3], killed: bool, taken: bool, tmp_path: Path
) -> None:
    async with EmbeddedServers(data_dir=tmp_path, members=members) as first:
        environment = first.environment()
        async with redis_client(first.redis.url) as redis, mongo_client(first.mongo.url) as client:
            await redis.set("key", "value")
            await client.test.things.insert_one({"_id": 1})
        if killed:
            await first.redis.kill()
            await first.mongo.kill()

    async def check() -> dict[str, str]:
        async with EmbeddedServers(data_dir=tmp_path, members=members) as second:
            async with redis_client(second.redis.url) as redis, mongo_client(second.mongo.url) as client:
                assert await redis.get("key") == b"value"
                assert await client.test.things.find_one() == {"_id": 1}
            return second.environment()

    if taken:
        with listener(first.redis.port), listener(first.mongo.port):
            moved = await check()
        assert moved["REDIS_URL"] != environment["REDIS_URL"]
        assert moved["MONGODB_URL"] != environment["MONGODB_URL"]
        environment = moved
    # The servers have been stopped cleanly by now, if they were not the first time.
    assert await check() == environment


async def test_a_member_outside_its_set_makes_no_collection_of_sessions(tmp_path: Path) -> None:
    # Each member's own would have another identifier, and a secondary aborts when the primary writes to its.
    async with EmbeddedMongo(data_dir=tmp_path) as mongo:
        await mongo.kill()
        (member,) = mongo.members
        await member.start_alone()
        refreshes = await member.command("getParameter", disableLogicalSessionCacheRefresh=1)
        assert refreshes["disableLogicalSessionCacheRefresh"] is True
        async with mongo_client(f"mongodb://{member.address}/?directConnection=true") as client:
            assert "system.sessions" not in await client.config.list_collection_names()


async def test_data_folder_with_another_number_of_members_is_refused(tmp_path: Path) -> None:
    async with EmbeddedMongo(data_dir=tmp_path):
        pass
    with pytest.raises(EmbeddedServerError, match=r"a replica set of 1 member.*, but 3 are requested"):
        async with EmbeddedMongo(data_dir=tmp_path, members=3):
            pass


async def test_data_folder_in_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_LOCK_SECONDS", 0.1)
    async with EmbeddedRedis(data_dir=tmp_path) as redis:
        with pytest.raises(EmbeddedServerError, match="in use by another redis-server"):
            await EmbeddedRedis(data_dir=tmp_path).start()
        assert redis.running


async def test_another_server_on_the_port_is_recognised_and_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with EmbeddedMongo(standalone=True) as other:
        monkeypatch.setattr(ports, "choose_port", lambda: other.port)
        mongo = EmbeddedMongo()
        with pytest.raises(PortTakenError, match=f"answered by process {other.pid}"):
            async with mongo:
                pass
        assert not mongo.members[0].running
        assert "setName" not in await other.members[0].command("hello")


async def test_a_port_taken_between_choice_and_start_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    async with EmbeddedRedis() as other:
        choices = [other.port, ports.choose_port()]
        monkeypatch.setattr(ports, "choose_port", lambda: choices.pop(0))
        async with EmbeddedRedis() as redis:
            assert choices == []
            assert redis.port != other.port


@pytest.mark.parametrize("library", ["libcurl.so.4", "libssl.so.3"])
async def test_missing_library_is_one_clear_error(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = f"mongod: error while loading shared libraries: {library}: cannot open shared object file"
    _set_program(monkeypatch, tmp_path, f'echo "{message}" >&2; exit 127')

    with pytest.raises(EmbeddedServerError, match=f"needs the shared library {library}.*: install"):
        async with EmbeddedMongo():
            pass


@pytest.mark.parametrize(
    ("script", "advice"),
    [
        (
            'echo "mongod: /lib/libc.so.6: version \\`GLIBC_2.34\' not found (required by mongod)" >&2; exit 1',
            r"needs GLIBC_2\.34, .*: use a newer system",
        ),
        ("kill -ILL $$", "uses instructions that this processor does not have .*: put another mongod on PATH"),
    ],
    ids=["older C library", "older processor"],
)
async def test_a_program_that_this_machine_cannot_run_is_one_clear_error(
    script: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_program(monkeypatch, tmp_path, script)

    with pytest.raises(EmbeddedServerError, match=advice):
        async with EmbeddedMongo():
            pass


async def test_a_server_that_exits_during_start_up_is_reported_at_once_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_program(monkeypatch, tmp_path, "echo the disk is on fire; exit 14")

    with pytest.raises(EmbeddedServerError, match=r"(?s)exited during start-up with code 14;.*the disk is on fire"):
        async with asyncio.timeout(5), EmbeddedMongo():
            pass


async def test_a_server_that_never_answers_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _set_program(monkeypatch, tmp_path, "echo thinking; exec sleep 300")

    mongo = EmbeddedMongo(start_timeout=0.3)
    with pytest.raises(EmbeddedServerError, match=r"(?s)not ready within 0.3 s;.*thinking"):
        async with mongo:
            pass
    assert not mongo.members[0].running


async def test_a_cancelled_start_leaves_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid_file = tmp_path / "pid"
    _set_program(monkeypatch, tmp_path, f"echo $$ > {pid_file}; exec sleep 300")

    async def started() -> bool:
        return pid_file.exists() and bool(pid_file.read_text())

    async with asyncio.TaskGroup() as group:
        start = group.create_task(EmbeddedMongo().__aenter__())
        await wait_until(started, seconds=10, failure=lambda: "the program was not started")
        start.cancel()
    await until_gone(pid := int(pid_file.read_text()))
    assert not alive(pid)


@pytest.mark.parametrize("copies", ["fork", "none"])
async def test_servers_and_their_data_are_removed_after_the_parent_is_killed(copies: str) -> None:
    with start_parent(copies) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        redis, mongo, copy, *folders = (await asyncio.to_thread(parent.stdout.readline)).decode().split()
        assert alive(int(redis))
        assert alive(int(mongo))
        assert [is_folder(folder) for folder in folders] == [True, True]

        parent.kill()
        await asyncio.to_thread(parent.wait)
        await until_gone(int(redis), int(mongo))

        async def removed() -> bool:
            return not any(is_folder(folder) for folder in folders)

        await wait_until(removed, seconds=10, failure=lambda: f"left behind: {folders}")
        assert not int(copy) or alive(int(copy)), "the copy ended before it could hold the pipe"
        parent.stdin.close()


async def test_the_pid_of_a_stopped_server_is_an_error() -> None:
    with pytest.raises(EmbeddedServerError, match="not running: start it first"):
        _ = EmbeddedRedis().pid


def _set_program(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    program = folder / "fake-mongod"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("MONGOD_BIN", str(program))
