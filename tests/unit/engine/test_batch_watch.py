import pytest
from arq.connections import ArqRedis

from tests.unit.engine.conftest import QUEUE
from worker.codec import Codec
from worker.engine.batch_watch import BatchWatch
from worker.engine.context import EngineContext
from worker.errors import RemoteError
from worker.queue import keys
from worker.queue.batches import BatchStore
from worker.queue.completion import Completion
from worker.queue.scripts import Enqueue

CODEC = Codec()


async def _ended_without_its_batch(context: EngineContext, result: bytes) -> BatchStore:
    """Return the batches, with one whose only job a worker of an earlier version has ended."""
    batches = BatchStore(context.redis)
    await batches.create("batch", None)
    await context.scripts.enqueue([Enqueue("job", QUEUE, b"payload")], "batch")
    await batches.seal("batch")
    (job,) = (await context.scripts.claim("w:1", 10_000, 1, [(QUEUE, 1)])).jobs
    await context.scripts.finish([Completion.done(job, "w:1", result=result, result_life_ms=-1)])
    await context.redis.zadd(keys.BATCHES, {"batch": 1})
    return batches


def _result(success: bool, value: object) -> bytes:
    times = {"st": 1, "ft": 2, "q": QUEUE}
    return CODEC.encode({"t": 1, "f": "f", "a": [], "k": {}, "et": 1, "s": success, "r": value} | times)


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (_result(True, {"rows": 1}), "complete"),
        (_result(False, RemoteError("CancelledError", "")), "aborted"),
        (_result(False, RemoteError("ValueError", "x")), "dead"),
        (b"not a message", "lost"),
    ],
)
async def test_a_job_that_ended_without_its_batch_is_counted_by_its_result(
    context: EngineContext, result: bytes, outcome: str
) -> None:
    batches = await _ended_without_its_batch(context, result)

    await BatchWatch(context, CODEC.decode).look()

    progress = await batches.progress("batch")
    assert (getattr(progress, outcome), progress.state) == (1, "finished")


async def test_a_result_without_a_deserializer_to_read_it_counts_as_lost(context: EngineContext) -> None:
    batches = await _ended_without_its_batch(context, _result(True, None))

    await BatchWatch(context, None).look()

    assert (await batches.progress("batch")).lost == 1


async def test_a_batch_that_was_overwritten_is_forgotten(context: EngineContext, redis: ArqRedis) -> None:
    batches = await _ended_without_its_batch(context, _result(True, None))
    await redis.delete(keys.BATCH + "batch")
    await redis.set(keys.BATCH + "batch", "foreign")

    await BatchWatch(context, CODEC.decode).look()

    assert await batches.unfinished() == []
