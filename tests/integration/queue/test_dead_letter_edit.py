from typing import Any

import pytest

from tests.redis_scripts.script_bench import ScriptBench
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter, Failure, payload_digest, payload_text
from worker.queue.dead_letter_edit import replace_payload
from worker.queue.dead_letter_store import DeadLetterNotFound, DeadLetterStore

NEW = b"corrected"


@pytest.fixture
def store(redis: Any) -> DeadLetterStore:
    return DeadLetterStore(redis)


async def dead(bench: ScriptBench, store: DeadLetterStore, *, is_old: bool = False) -> DeadLetter:
    """Dead-letter a job; `is_old`: as an earlier version, which stored the payload in the dead letter."""
    await bench.enqueue("a", payload=b"\xffwrong")
    job = await bench.claim_one()
    failure = Failure(type="ValueError", message="", tries=1, at_ms=1)
    letter = DeadLetter(
        job_id=bench.id("a"), function="f", queue=bench.queue, reason="r", failure=failure, crashes=0, worker="w",
        payload=payload_text(job.payload) if is_old else "", payload_bytes=0 if is_old else len(job.payload),
    )  # fmt: skip
    record = letter.model_dump_json().encode() if is_old else letter.stored()
    assert await bench.finish(job, "dead", record=record, payload=b"" if is_old else job.payload)
    return await store.get(letter.job_id)


@pytest.mark.parametrize("is_old", [False, True])
async def test_a_corrected_payload_is_what_a_retry_runs(
    script_bench: ScriptBench, store: DeadLetterStore, *, is_old: bool
) -> None:
    letter = await dead(script_bench, store, is_old=is_old)
    assert letter.envelope == b"\xffwrong"

    assert await replace_payload(script_bench.redis, letter, NEW)

    changed = await store.get(letter.job_id)
    assert (changed.envelope, changed.payload_bytes, changed.payload_digest) == (NEW, 9, payload_digest(NEW))
    assert (changed.failure, changed.queue) == (letter.failure, letter.queue)
    assert await store.retry([changed]) == 1
    assert (await script_bench.claim_one()).payload == NEW


@pytest.mark.parametrize("is_old", [False, True])
async def test_a_payload_is_not_replaced_if_it_has_changed(
    script_bench: ScriptBench, store: DeadLetterStore, *, is_old: bool
) -> None:
    letter = await dead(script_bench, store, is_old=is_old)
    await script_bench.redis.set(keys.DEAD_PAYLOAD + letter.job_id, b"theirs")

    assert not await replace_payload(script_bench.redis, letter, NEW)
    assert (await store.get(letter.job_id)).envelope == b"theirs"
    await store.discard_unchanged([await store.find(letter.job_id)])
    assert not await replace_payload(script_bench.redis, letter, NEW)
    with pytest.raises(DeadLetterNotFound):
        await store.get(letter.job_id)
