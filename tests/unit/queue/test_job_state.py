from typing import Any

import pytest

from tests.redis_scripts.script_bench import ScriptBench
from tests.support.redis_clock import set_clock_back
from worker.codec import Codec
from worker.contract import BULK_QUEUE, DEFAULT_QUEUE
from worker.errors import InvalidEnvelope, RemoteError
from worker.queue import keys
from worker.queue.claim import ClaimedJob
from worker.queue.completion import Completion
from worker.queue.dead_letter import DeadLetter, Failure, payload_text
from worker.queue.job_state import JobView, look_up, read_envelope
from worker.queue.scripts import Enqueue

CODEC = Codec()
JOB: dict[str, Any] = {"t": None, "f": "ingest_hospital", "a": [], "k": {}, "et": 1_000}
RESULT = {**JOB, "t": 3, "st": 1, "ft": 2, "q": DEFAULT_QUEUE}
JOB_ID = "ingest_hospital:1"


@pytest.fixture
def queue(redis: Any, bench: ScriptBench) -> "Queue":
    return Queue(redis, bench)


class Queue:
    def __init__(self, redis: Any, bench: ScriptBench) -> None:
        self.redis, self.scripts = redis, bench.scripts

    async def enqueue(self, payload: bytes = CODEC.encode(JOB), delay_ms: int = 0) -> None:
        await self.scripts.enqueue([Enqueue(JOB_ID, DEFAULT_QUEUE, payload, delay_ms)])

    async def claim(self) -> ClaimedJob:
        (job,) = (await self.scripts.claim("t", 10_000, 1, [(DEFAULT_QUEUE, 1)])).jobs
        return job

    async def finish(self, action: Any, result: Any = None, record: bytes = b"") -> None:
        job = await self.claim()
        data = CODEC.encode({**RESULT, "s": not isinstance(result, Exception), "r": result})
        await self.scripts.finish([Completion(job.job_id, job.queue, "t", action, data, -1, record=record)])

    async def view(self, job_id: str = JOB_ID) -> JobView:
        view: JobView = await look_up(self.redis, CODEC, job_id)
        return view


async def test_an_id_that_was_never_enqueued_is_unknown(queue: Queue) -> None:
    assert await queue.view() == JobView(JOB_ID, "unknown", 0)


async def test_a_queued_job_shows_its_envelope(queue: Queue) -> None:
    await queue.enqueue()

    assert await queue.view() == JobView(JOB_ID, "queued", 0)
    assert await read_envelope(queue.redis, Codec(), JOB_ID) == JOB


async def test_a_job_with_a_delay_is_deferred(queue: Queue) -> None:
    await queue.enqueue(delay_ms=30_000)

    assert (await queue.view()).state == "deferred"


@pytest.mark.parametrize(("delay_ms", "state"), [(0, "queued"), (30_000, "deferred")])
async def test_a_job_is_found_on_the_queue_of_a_source(queue: Queue, delay_ms: int, state: str) -> None:
    await queue.scripts.enqueue([Enqueue(JOB_ID, "arq:queue:cms", CODEC.encode(JOB), delay_ms)])

    assert (await look_up(queue.redis, CODEC, JOB_ID, ["arq:queue:cms"])).state == state
    # Its payload shows that it has not ended, whatever queue it is on.
    assert (await queue.view()).state == "queued"


@pytest.mark.parametrize(("delay_ms", "state"), [(0, "queued"), (30_000, "deferred")])
async def test_a_job_is_due_by_the_queues_time(queue: Queue, delay_ms: int, state: str) -> None:
    await queue.enqueue(delay_ms=delay_ms)
    await set_clock_back(queue.redis, 120_000, (DEFAULT_QUEUE,))

    assert (await queue.view()).state == state


async def test_a_clock_of_another_type_is_ignored(queue: Queue) -> None:
    await queue.redis.set(keys.CLOCK, "noon")
    await queue.enqueue(delay_ms=30_000)

    assert (await queue.view()).state == "deferred"


async def test_a_claimed_job_is_running_and_its_try_is_counted(queue: Queue) -> None:
    await queue.enqueue()
    await queue.claim()

    view = await queue.view()
    assert (view.state, view.tries) == ("running", 1)


@pytest.mark.parametrize(("result", "state"), [({"status": "created"}, "done"), (ValueError("x"), "failed")])
async def test_a_job_that_has_ended_shows_its_result(queue: Queue, result: Any, state: str) -> None:
    await queue.enqueue()
    await queue.finish("done", result)

    view = await queue.view()
    assert (view.state, view.tries) == (state, 3)
    assert view.result is not None
    assert view.result["r"] == result or isinstance(view.result["r"], RemoteError)


async def test_a_dead_job_shows_its_dead_letter_whether_or_not_a_result_is_kept(queue: Queue) -> None:
    dead_letter = DeadLetter(
        job_id=JOB_ID,
        function="ingest_hospital",
        queue=DEFAULT_QUEUE,
        payload=payload_text(b"x"),
        reason="permanent error",
        failure=Failure(type="ValueError", message="x", tries=4, at_ms=1),
        crashes=0,
        worker="w",
    )
    await queue.enqueue()
    await queue.finish("dead", ValueError("x"), dead_letter.model_dump_json().encode())

    assert await queue.view() == JobView(JOB_ID, "dead", 4, dead_letter=dead_letter)


async def test_the_queue_is_known_from_the_job_name_or_searched(queue: Queue) -> None:
    deferred = {"unknown:1": 10**13}
    await queue.redis.zadd(BULK_QUEUE, {"ingest_hospitals:1": 1, **deferred})

    assert (await queue.view("ingest_hospitals:1")).state == "queued"
    assert (await queue.view("unknown:1")).state == "deferred"


@pytest.mark.parametrize("payload", [b"\x80pickle", b"{}", b""])
async def test_a_job_with_an_unreadable_envelope_is_still_queued(queue: Queue, payload: bytes) -> None:
    await queue.enqueue(payload)

    assert await queue.view() == JobView(JOB_ID, "queued", 0)
    assert await read_envelope(queue.redis, Codec(), JOB_ID) is None


async def test_a_job_with_keys_of_another_type_is_still_queued(queue: Queue) -> None:
    await queue.redis.rpush(keys.JOB + JOB_ID, "x")
    await queue.redis.rpush(keys.TRIES + JOB_ID, "x")
    await queue.redis.zadd(DEFAULT_QUEUE, {JOB_ID: 1})

    assert await queue.view() == JobView(JOB_ID, "queued", 0)
    assert await read_envelope(queue.redis, Codec(), JOB_ID) is None


async def test_a_result_of_another_type_is_an_error(queue: Queue) -> None:
    await queue.redis.rpush(keys.RESULT + JOB_ID, "x")

    with pytest.raises(Exception, match="WRONGTYPE"):
        await queue.view()


async def test_the_result_of_another_job_is_refused(queue: Queue) -> None:
    done = {**RESULT, "s": True, "r": None}
    await queue.redis.set(keys.RESULT + JOB_ID, CODEC.encode({**done, "id": JOB_ID}))
    assert (await queue.view()).state == "done"
    for wrong in ({**done, "id": "ingest_hospital:2"}, JOB, {**JOB, "id": JOB_ID}):
        await queue.redis.set(keys.RESULT + JOB_ID, CODEC.encode(wrong))
        with pytest.raises(InvalidEnvelope, match=JOB_ID):
            await queue.view()


async def test_the_envelope_of_another_job_is_ignored(queue: Queue) -> None:
    await queue.enqueue(CODEC.encode({**JOB, "id": "ingest_hospital:2"}))

    assert await queue.view() == JobView(JOB_ID, "queued", 0)
    assert await read_envelope(queue.redis, CODEC, JOB_ID) is None
