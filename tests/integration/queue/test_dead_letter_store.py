import uuid
from typing import Any

import pytest
from redis.exceptions import ResponseError

from tests.redis_scripts.script_bench import ScriptBench
from tests.support.dead_letters import store_dead_letter
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter, Failure, payload_text
from worker.queue.dead_letter_store import DeadLetterNotFound, DeadLetterStore

# All dead letters of a server are in one hash. A test finds its own by a function name that only it uses.


@pytest.fixture
def function() -> str:
    return f"job_{uuid.uuid4().hex}"


@pytest.fixture
def store(redis: Any) -> DeadLetterStore:
    return DeadLetterStore(redis)


async def make_dead_letters(
    bench: ScriptBench, *names: str, function: str, error: str = "ValueError"
) -> list[DeadLetter]:
    """Enqueue jobs with these names and dead-letter each of them."""
    dead_letters = []
    for name in names:
        await bench.enqueue(name, payload=b"\xffpayload")
        job = await bench.claim_one()
        dead_letters.append(dead_letter_of(bench.id(name), bench.queue, function, error))
        await bench.finish(job, "dead", record=dead_letters[-1].model_dump_json().encode())
    return dead_letters


async def test_an_unreadable_dead_letter_is_listed_as_such_and_can_be_discarded(
    bench: ScriptBench, store: DeadLetterStore
) -> None:
    job_id = bench.id("garbage")
    await bench.redis.hset(keys.DEAD, job_id, "{}")
    await bench.redis.zadd(keys.DEAD_INDEX, {job_id: 1})

    (listed,) = [
        dead_letter async for dead_letter in store.all(error="UnreadableDeadLetter") if dead_letter.job_id == job_id
    ]

    assert listed == await store.get(job_id)
    assert (listed.function, listed.envelope) == (None, b"")
    assert await store.retry([listed]) == 0
    assert await bench.redis.hget(keys.DEAD, job_id) == b"{}"
    assert await discard(store, job_id) == 1


@pytest.mark.parametrize("change", [{"payload": "a"}, {"job_id": "another"}])
async def test_a_forged_dead_letter_is_shown_as_unreadable_and_does_not_affect_others(
    bench: ScriptBench, store: DeadLetterStore, function: str, change: dict[str, str]
) -> None:
    job_id = bench.id("forged")
    (valid,) = await make_dead_letters(bench, "valid", function=function)
    forged = dead_letter_of(job_id, bench.queue, function).model_copy(update=change)
    await store_dead_letter(bench.redis, forged.model_copy(update={"job_id": job_id}), 1)
    await bench.redis.hset(keys.DEAD, job_id, forged.model_dump_json())

    dead_letter = await store.get(job_id)
    assert (dead_letter.job_id, dead_letter.failure.type, dead_letter.payload) == (
        job_id,
        "UnreadableDeadLetter",
        "",
    )
    assert await store.retry([dead_letter, valid]) == 1
    assert await discard(store, job_id) == 1


async def test_a_dead_letter_that_is_missing_from_the_index_is_still_listed(
    bench: ScriptBench, store: DeadLetterStore, function: str
) -> None:
    dead_letters = await make_dead_letters(bench, "a", "b", function=function)
    await bench.redis.zrem(keys.DEAD_INDEX, bench.id("a"))

    assert await listed(store, function=function) == [dead_letters[1], dead_letters[0]]


async def test_a_dead_letter_is_kept_if_its_queue_is_a_key_of_another_type(
    bench: ScriptBench, store: DeadLetterStore
) -> None:
    (dead_letter,) = await make_dead_letters(bench, "a", function="kept")
    await bench.redis.delete(bench.queue)
    await bench.redis.set(bench.queue, "not a queue")

    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await store.retry([dead_letter])

    assert await store.get(dead_letter.job_id) == dead_letter
    await bench.redis.delete(bench.queue)
    assert await store.retry([dead_letter]) == 1


def dead_letter_of(job_id: str, queue: str, function: str, error: str = "ValueError") -> DeadLetter:
    return DeadLetter(
        job_id=job_id,
        function=function,
        queue=queue,
        payload=payload_text(b"\xffpayload"),
        reason="permanent error",
        failure=Failure(type=error, message="x", tries=1, at_ms=1),
        crashes=0,
        worker="w",
    )


async def discard(store: DeadLetterStore, job_id: str) -> int:
    return await store.discard_unchanged([await store.find(job_id)])


async def listed(store: DeadLetterStore, **filters: str) -> list[DeadLetter]:
    return [dead_letter async for dead_letter in store.all(**filters)]


async def test_a_dead_letter_is_shown_with_its_history(
    bench: ScriptBench, store: DeadLetterStore, function: str
) -> None:
    await bench.enqueue("a")
    tries = [Failure(type="OSError", message=str(number), tries=number, at_ms=number) for number in (1, 2)]
    for failure in tries:
        await bench.finish(await bench.claim_one(), "retry", record=failure.model_dump_json().encode())
    dead_letter = dead_letter_of(bench.id("a"), bench.queue, function)
    await bench.finish(await bench.claim_one(), "dead", record=dead_letter.model_dump_json().encode())

    assert await store.get(bench.id("a")) == dead_letter.model_copy(update={"history": tries})


async def test_an_unknown_id_raises_an_error(store: DeadLetterStore) -> None:
    with pytest.raises(DeadLetterNotFound, match=r"^never: no dead letter"):
        await store.get("never")


async def test_dead_letters_are_listed_oldest_first_and_can_be_filtered(
    bench: ScriptBench, store: DeadLetterStore, function: str
) -> None:
    first = await make_dead_letters(bench, "b", "a", function=function)
    second = await make_dead_letters(bench, "c", function=function, error="KeyError")
    for position, dead_letter in enumerate([*first, *second]):
        await bench.redis.zadd(keys.DEAD_INDEX, {dead_letter.job_id: position})

    assert await listed(store, function=function) == [*first, *second]
    assert await listed(store, function=function, error="KeyError") == second
    assert await listed(store, function=function, error="OSError") == []
    assert [dead_letter for dead_letter in await listed(store) if dead_letter.function == function] == [
        *first,
        *second,
    ]


async def test_discarding_dead_letters_during_a_listing_skips_none(
    bench: ScriptBench, store: DeadLetterStore, function: str
) -> None:
    ids = [f"{function}:{number:04}" for number in range(450)]
    for job_id in ids:
        await store_dead_letter(bench.redis, dead_letter_of(job_id, bench.queue, function), 1)

    seen = []
    async for dead_letter in store.all(function=function):
        seen.append(dead_letter.job_id)
        await discard(store, dead_letter.job_id)

    assert seen == ids
    assert await listed(store, function=function) == []


async def test_a_retried_dead_letter_has_its_payload_and_a_full_retry_budget(
    bench: ScriptBench, store: DeadLetterStore, function: str
) -> None:
    dead_letters = await make_dead_letters(bench, "a", "b", function=function)

    assert await store.retry(dead_letters) == 2

    jobs = (await bench.claim()).jobs
    assert {job.job_id.decode() for job in jobs} == {bench.id("a"), bench.id("b")}
    assert {(job.payload, job.tries) for job in jobs} == {(b"\xffpayload", 1)}
    assert await store.retry(dead_letters) == 0
    assert await listed(store, function=function) == []


async def test_a_rate_limit_spreads_retried_dead_letters_over_time(
    bench: ScriptBench, store: DeadLetterStore, function: str
) -> None:
    ids = [bench.id(f"{number:03}") for number in range(401)]
    dead_letters = [dead_letter_of(job_id, bench.queue, function) for job_id in ids]
    for dead_letter in dead_letters:
        await store_dead_letter(bench.redis, dead_letter, 1)
    before = await bench.now_ms()

    assert await store.retry(dead_letters, per_second=10) == 401

    after = await bench.now_ms()
    scores = [await bench.redis.zscore(bench.queue, job_id) for job_id in ids]
    assert all(before + 100 * position <= score <= after + 100 * position for position, score in enumerate(scores))


async def test_a_discarded_dead_letter_leaves_nothing_behind(
    bench: ScriptBench, store: DeadLetterStore, function: str
) -> None:
    await bench.enqueue("a")
    await bench.finish(await bench.claim_one(), "retry", record=b"{}")
    await bench.finish(await bench.claim_one(), "dead", record=b"{}")
    kept = await make_dead_letters(bench, "b", function=function)

    assert await discard(store, bench.id("a")) == 1

    assert await bench.places_of("a") == set()
    assert await listed(store, function=function) == kept


async def test_discarding_no_dead_letters_returns_zero(store: DeadLetterStore) -> None:
    assert await store.discard_unchanged([]) == 0


async def test_a_dead_letter_whose_id_is_not_utf_8_is_found_and_discarded_by_its_escaped_id(
    bench: ScriptBench, store: DeadLetterStore, function: str
) -> None:
    raw = b"\xff\xfe" + bench.id("a").encode()
    shown = raw.decode(errors="backslashreplace")
    await bench.redis.zadd(bench.queue, {raw: 1})
    dead_letter = dead_letter_of(shown, bench.queue, function)
    await bench.finish(await bench.claim_one(), "dead", record=dead_letter.model_dump_json().encode())

    (listed_dead_letter,) = await listed(store, function=function)
    assert await store.get(listed_dead_letter.job_id) == dead_letter
    assert await discard(store, listed_dead_letter.job_id) == 1
    assert await listed(store, function=function) == []


@pytest.mark.parametrize("escaped", [r"k\x41", r"k\xc3\xa9"])
async def test_an_id_that_looks_like_escaped_bytes_matches_only_its_own_dead_letter(
    bench: ScriptBench, store: DeadLetterStore, function: str, escaped: str
) -> None:
    plain = bench.id(escaped.encode().decode("unicode_escape").encode("latin-1").decode())
    await store_dead_letter(bench.redis, dead_letter_of(bench.id(escaped), bench.queue, function), 1)
    await store_dead_letter(bench.redis, dead_letter_of(plain, bench.queue, function), 2)

    assert await discard(store, bench.id(escaped)) == 1

    assert [dead_letter.job_id for dead_letter in await listed(store, function=function)] == [plain]
