from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fakeredis import FakeAsyncRedis, FakeServer
from hypothesis import settings

from tests.contracts.queue_bench import QueueBench
from tests.contracts.queue_model import QueueMachine


class _FakeRedisMachine(QueueMachine):
    def open_bench(self) -> AbstractAsyncContextManager[QueueBench]:
        return _bench()


@asynccontextmanager
async def _bench() -> AsyncIterator[QueueBench]:
    async with FakeAsyncRedis(server=FakeServer()) as redis:
        yield QueueBench(redis)


TestQueue = _FakeRedisMachine.TestCase
TestQueue.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
