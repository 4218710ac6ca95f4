from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.redis_scripts.script_batch_model import BatchMachine
from tests.redis_scripts.script_bench import ScriptBench
from worker.codec import Codec
from worker.embedded import EmbeddedRedis
from worker.engine.arq_redis import open_arq_redis
from worker.queue import keys
from worker.settings import load_settings


def test_the_queue_behaves_like_its_model(redis_server: EmbeddedRedis) -> None:
    @asynccontextmanager
    async def bench() -> AsyncIterator[ScriptBench]:
        redis = open_arq_redis(load_settings(redis_url=redis_server.url), Codec())
        await redis.delete(keys.CLOCK)
        try:
            yield ScriptBench(redis)
        finally:
            await redis.aclose(close_connection_pool=True)

    # It has all the rules of the model without a batch.
    class RealRedisMachine(BatchMachine):
        runs = 0

        def open_bench(self) -> AbstractAsyncContextManager[ScriptBench]:
            return bench()

        def teardown(self) -> None:
            RealRedisMachine.runs += 1
            super().teardown()

    run_state_machine_as_test(
        RealRedisMachine, settings=settings(max_examples=20, stateful_step_count=25, deadline=None)
    )
    assert RealRedisMachine.runs >= 20
