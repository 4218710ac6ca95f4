from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fakeredis import FakeAsyncRedis, FakeServer
from hypothesis import settings

from tests.redis_scripts.script_batch_model import BatchMachine
from tests.redis_scripts.script_bench import ScriptBench
from tests.redis_scripts.script_model import QueueMachine
from tests.support.lua import needs_lua

pytestmark = needs_lua


class _FakeRedisMachine(QueueMachine):
    def open_bench(self) -> AbstractAsyncContextManager[ScriptBench]:
        return _bench()


class _FakeRedisBatchMachine(BatchMachine):
    def open_bench(self) -> AbstractAsyncContextManager[ScriptBench]:
        return _bench()


@asynccontextmanager
async def _bench() -> AsyncIterator[ScriptBench]:
    async with FakeAsyncRedis(server=FakeServer(version=(6, 2))) as redis:
        yield ScriptBench(redis)


TestQueue = _FakeRedisMachine.TestCase
TestQueue.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestBatch = _FakeRedisBatchMachine.TestCase
TestBatch.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
