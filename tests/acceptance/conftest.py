import asyncio
import functools
import itertools
import os
import signal
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import pytest_asyncio
from typer.testing import CliRunner

from producers.client import HospitalProducer
from tests.security.scanner import CANARY
from tests.support.forked_programs import ForkedProgram, can_fork, start_fork
from worker.cli import app
from worker.codec import Codec
from worker.contract import DEFAULT_QUEUE
from worker.embedded import EmbeddedMongo, EmbeddedRedis
from worker.engine.arq_redis import open_arq_redis
from worker.mongo.client import MongoHandle, open_mongo
from worker.mongo.schema import ensure_schema
from worker.queue import keys
from worker.queue.dead_letter_store import DeadLetterStore
from worker.queue.heartbeats import ready_workers
from worker.queue.scripts import Enqueue, Scripts
from worker.settings import load_settings
from worker.supervisor import exit_with_parent

_numbers = itertools.count(1)
# The report of an import of a million rows takes longest.
_COMMAND_ENDS_WITHIN_S = 300
_COMMAND_RUNS = threading.Lock()


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str


class WorkerRun:
    """One worker process, which logs to a file."""

    def __init__(self, process: asyncio.subprocess.Process | ForkedProgram, log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def send(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)

    async def ended(self, seconds: float = 20) -> int:
        """Wait until the process exits, and return its exit code."""
        return await asyncio.wait_for(self.process.wait(), seconds)


class Server(Protocol):
    """A server with a URL."""

    @property
    def url(self) -> str: ...


class Site:
    """A Redis and a MongoDB database for one test, and the processes that use them."""

    imports_anew = False
    """Whether each process is an interpreter of its own that imports all it needs, which takes a second."""

    def __init__(self, redis: Server, mongo: Server, folder: Path) -> None:
        number = next(_numbers)
        self.folder = folder
        self.environment = {
            "REDIS_URL": redis.url,
            "MONGODB_URL": mongo.url,
            "MONGODB_DATABASE": f"acceptance_{number}",
            "REDIS_TIMEOUT": "2",
        }
        self.settings = load_settings(**{name.lower(): value for name, value in self.environment.items()})
        self.redis = open_arq_redis(self.settings, Codec())
        self.scripts = Scripts(self.redis)
        self.dead_letters = DeadLetterStore(self.redis)
        self._workers: list[WorkerRun] = []

    def producer(self) -> HospitalProducer:
        return HospitalProducer.connect(self.settings)

    async def worker(self, settings: str = "worker.main.WorkerSettings", /, **environment: str) -> WorkerRun:
        """Start a worker through arq's command line and wait until it takes jobs."""
        run = await self.start(settings, **environment)
        await self.until(lambda: self.is_ready(run), 30)
        return run

    async def start(self, settings: str = "worker.main.WorkerSettings", /, **environment: str) -> WorkerRun:
        log = self.folder / f"worker-{len(self._workers)}.log"
        with log.open("wb") as file:
            process = await self._process("arq", settings, environment=environment, out=file, err=file)
        run = WorkerRun(process, log)
        self._workers.append(run)
        return run

    async def run(self, *command: str, **environment: str) -> Finished:
        """Run `python -m COMMAND` to completion."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = await self._process(*command, environment=environment, out=out, err=err)
            code = await asyncio.wait_for(process.wait(), _COMMAND_ENDS_WITHIN_S)
            out.seek(0)
            err.seek(0)
            return self._finished(code, out.read().decode(), err.read().decode())

    async def _process(
        self, *command: str, environment: Mapping[str, str], out: IO[bytes], err: IO[bytes]
    ) -> asyncio.subprocess.Process | ForkedProgram:
        """Start `python -m COMMAND`."""
        whole = self._environment(environment)
        if can_fork(command[0], environment) and not self.imports_anew:
            return await start_fork(*command, environment=whole, out=out, err=err)
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *command),
            env=whole,
            stdout=out,
            stderr=err,
            preexec_fn=functools.partial(exit_with_parent, os.getpid()),
        )

    async def run_unread(self, *command: str) -> Finished:
        """Run `python -m COMMAND` to completion, with a standard output whose reader has ended."""
        reading, writing = os.pipe()
        os.close(reading)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *command),
            # Without a value the variable has no effect: output is kept in a buffer, as usual for a pipe.
            env=self._environment({"PYTHONUNBUFFERED": ""}),
            stdout=writing,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=functools.partial(exit_with_parent, os.getpid()),
        )
        os.close(writing)
        _, err = await asyncio.wait_for(process.communicate(), _COMMAND_ENDS_WITHIN_S)
        return self._finished(process.returncode or 0, "", err.decode())

    async def command(self, *arguments: str, **environment: str) -> Finished:
        """Run `hospital-worker` in this process, to avoid the start of another one, which takes up to a second."""
        variables = {**self.environment, **environment}
        invoke = functools.partial(CliRunner().invoke, app, arguments, env=variables, catch_exceptions=False)
        # It puts others in place of the process's output and environment meanwhile: two at once would mix them.
        assert _COMMAND_RUNS.acquire(blocking=False), "only `run` runs beside another command"
        try:
            done = await asyncio.to_thread(invoke)
        finally:
            _COMMAND_RUNS.release()
        return self._finished(done.exit_code, done.stdout, done.stderr)

    def _finished(self, code: int, out: str, err: str) -> Finished:
        # The log files in this folder are scanned for secrets.
        with (self.folder / "commands.log").open("a") as file:
            file.write(err)
        return Finished(code, out, err)

    async def is_ready(self, run: WorkerRun) -> bool:
        assert run.process.returncode is None, run.log
        return run.pid in {worker.pid for worker in await ready_workers(self.redis)}

    async def put(self, function: str, *arguments: Any, job_id: str, queue: str = DEFAULT_QUEUE) -> None:
        envelope = Codec().encode({"t": None, "f": function, "a": list(arguments), "k": {}, "et": 1})
        await self.scripts.enqueue([Enqueue(job_id, queue, envelope)])

    async def result(self, job_id: str, seconds: float = 20) -> dict[str, Any]:
        return Codec().decode(await self.until(lambda: self.redis.get(keys.RESULT + job_id), seconds))

    async def leases(self) -> int:
        return int(await self.redis.hlen(keys.LEASES))

    async def until(self, condition: Callable[[], Any], seconds: float = 20) -> Any:
        async with asyncio.timeout(seconds):
            while True:
                found = condition()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return found
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        for run in self._workers:
            if run.process.returncode is None:
                run.process.kill()
                await run.process.wait()
        await self.redis.aclose(close_connection_pool=True)

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        here = {"PYTHONPATH": os.pathsep.join((str(Path.cwd()), str(Path(__file__).parent / "settings")))}
        return {**os.environ, **self.environment, **here, **more}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mongo() -> AsyncIterator[EmbeddedMongo]:
    async with EmbeddedMongo() as server:
        yield server


@pytest_asyncio.fixture
async def site(mongo: EmbeddedMongo, tmp_path: Path) -> AsyncIterator[Site]:
    async with EmbeddedRedis(password=CANARY) as redis:
        site = Site(redis, mongo, tmp_path)
        yield site
        await site.close()


@pytest_asyncio.fixture
async def registry(site: Site) -> AsyncIterator[MongoHandle]:
    """The test's own database, empty, with its collections and indexes."""
    handle = open_mongo(site.settings)
    await ensure_schema(handle)
    yield handle
    await handle.close()
