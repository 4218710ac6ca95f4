"""The system under test: a Redis, a MongoDB replica set, workers as real processes, a producer, and a ledger."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pymongo import AsyncMongoClient
from pymongo.errors import AutoReconnect

from producers.client import HospitalProducer
from tests.acceptance.conftest import Site
from tests.faults.injectors.moving_name import MovingName
from tests.faults.ledger import Account, Ledger
from tests.faults.load import Load
from tests.faults.rows import Row
from worker.embedded import EmbeddedMongo, EmbeddedRedis


@asynccontextmanager
async def open_stand(
    folder: Path, row: Row, *, members: Literal[1, 3] = 1, **environment: str
) -> AsyncIterator["Stand"]:
    """Start the stand's own servers and yield the stand; `environment` is passed to its workers."""
    async with AsyncExitStack() as stack:
        # Accepted means on disk: a write that Redis has acknowledged survives a SIGKILL of Redis.
        redis = await stack.enter_async_context(EmbeddedRedis(appendfsync="always"))
        mongo = await stack.enter_async_context(EmbeddedMongo(members=members, test_commands=True))
        yield await stack.enter_async_context(Stand(redis, mongo, folder, row, **environment))


@asynccontextmanager
async def open_stand_on_a_name(
    folder: Path, row: Row, *, members: Literal[1, 3] = 1, **environment: str
) -> AsyncIterator[tuple["Stand", MovingName]]:
    """Yield a stand that knows its Redis only by a name, and the name."""
    async with (
        MovingName() as name,
        EmbeddedMongo(members=members, test_commands=True) as mongo,
        Stand(name, mongo, folder, row, REDIS_URL=name.workers_url, **environment) as stand,
    ):
        yield stand, name


def logged_jobs(log: str, action: str) -> set[str]:
    """Return the ids of the jobs that a worker's log lists with an action, such as `job_retry`."""
    lines = [line.split() for line in log.splitlines() if f"action={action} " in line]
    return {field.removeprefix("job_id=") for fields in lines for field in fields if field.startswith("job_id=")}


class Stand(Site):
    """A `Site` with a ledger, a producer, and a load. `redis_server` and `mongo_server` belong to this test alone.

    `async with` opens and closes everything except the servers; it kills workers that still run.
    """

    # Faults hit its workers at any instant of their lives, and their memory is measured.
    imports_anew = True

    def __init__(
        self,
        redis: EmbeddedRedis | MovingName,
        mongo: EmbeddedMongo,
        folder: Path,
        row: Row,
        **environment: str,
    ) -> None:
        super().__init__(redis, mongo, folder)
        self.environment |= environment
        self._redis_or_name = redis
        self.mongo_server, self.row = mongo, row
        self.rng = random.Random(row.seed)
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            mongo.url, tz_aware=True, serverSelectionTimeoutMS=2_000
        )
        self.database = self._client[self.settings.mongodb_database]
        self.ledger = Ledger(self.redis, self.database)
        self._stack = AsyncExitStack()
        self.producer_client = HospitalProducer.connect(self.settings)

    @property
    def redis_server(self) -> EmbeddedRedis:
        """The server that is the primary now."""
        found = self._redis_or_name
        return found.primary if isinstance(found, MovingName) else found

    def load(self, *, per_second: float = 100, amended: int = 10) -> Load:
        """Return a stream of jobs; enter it with `async with` once a worker is running."""
        return Load(self.producer_client, self.ledger, self.rng, per_second=per_second, amended=amended)

    async def effects_grow_by(self, count: int, seconds: float = 60) -> None:
        """Wait until majority reads find `count` more effects than now; retry if MongoDB is unavailable."""
        wanted = await self._effects(seconds) + count
        await self.until(lambda: self._effects_reach(wanted), seconds)

    async def _effects_reach(self, wanted: int) -> bool:
        return await self._effects(10) >= wanted

    async def _effects(self, seconds: float) -> int:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    return await self.ledger.effects()
                except AutoReconnect:
                    await asyncio.sleep(0.05)

    async def balance(self, seconds: float = 60) -> Account:
        """Wait until all jobs have ended; record the account in the row and return it. Raises if it is unclean."""
        await self.ledger.settle(seconds)
        account = await self.ledger.account()
        self.row.note_account(account)
        assert account.clean, str(account)
        assert account.accepted == len(self.ledger.accepted) == account.applied + account.dead
        return account

    def pause_s(self, account: Account, since: datetime, until: datetime) -> float:
        """Return the longest time without an effect between two instants, in seconds, and record it in the row."""
        pause = account.pause_s(since, until)
        self.row.note_pause(pause)
        return pause

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.producer_client)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        await self.close()
        await self._client.close()
