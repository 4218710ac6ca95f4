import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from redis.exceptions import ResponseError

from tests.redis_scripts.script_bench import ScriptBench
from tests.support.dead_letters import store_dead_letter
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter, Failure, payload_text
from worker.queue.dead_letter_store import DeadLetterNotFound, DeadLetterStore

# Dead letters lie in one hash of the server; a test's own are told apart by their function's name.


@pytest.fixture
def function() -> str:
    return f"job_{uuid.uuid4().hex}"


@pytest.fixture
def store(redis: Any) -> DeadLetterStore:
    return DeadLetterStore(redis)


async def kill(bench: ScriptBench, *names: str, function: str, error: str = "ValueError") -> list[DeadLetter]:
    """Make jobs of these names and let each end as a dead letter."""
    dead_letters = []
    for name in names:
        await bench.enqueue(name, payload=b"\xffpayload")
        job = await bench.claim_one()
        dead_letters.append(dead_letter_of(bench.id(name), bench.queue, function, error))
        await bench.finish(job, "dead", record=dead_letters[-1].model_dump_json().encode())
    return dead_letters


async def test_what_is_no_dead_letter_is_shown_as_such_and_can_be_discarded(
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
    assert await store.discard([job_id]) == 1


@pytest.mark.parametrize("change", [{"payload": "a"}, {"job_id": "another"}])
async def test_a_forged_dead_letter_is_shown_as_what_it_is_and_spoils_no_other(
    bench: ScriptBench, store: DeadLetterStore, function: str, change: dict[str, str]
) -> None:
    job_id = bench.id("forged")
    (whole,) = await kill(bench, "whole", function=function)
    forged = dead_letter_of(job_id, bench.queue, function).model_copy(update=change)
    await store_dead_letter(bench.redis, forged.model_copy(update={"job_id": job_id}), 1)
    await bench.redis.hset(keys.DEAD, job_id, forged.model_dump_json())

    dead_letter = await store.get(job_id)
    assert (dead_letter.job_id, dead_letter.failure.type, dead_letter.payload) == (
        job_id,
        "UnreadableDeadLetter",
        "",
    )
    assert await store.retry([dead_letter, whole]) == 1
    assert await store.discard([job_id]) == 1


async def test_a_dead_letter_that_is_not_in_the_index_is_listed_all_the_same(
    bench: ScriptBench, store: DeadLetterStore, function: str
) -> None:
    dead_letters = await kill(bench, "a", "b", function=function)
    await bench.redis.zrem(keys.DEAD_INDEX, bench.id("a"))

    assert await listed(store, function=function) == [dead_letters[1], dead_letters[0]]


async def test_dead_letters_stay_if_their_queue_cannot_take_them(
    bench: ScriptBench, store: DeadLetterStore
) -> None:
    (dead_letter,) = await kill(bench, "a", function="stays")
    await bench.redis.delete(bench.queue)
    await bench.redis.set(bench.queue, "no queue")

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


async def test_an_unknown_id_is_told(store: DeadLetterStore) -> None:
    with pytest.raises(DeadLetterNotFound, match=r"^never: no dead letter"):
        await store.get("never")


async def test_dead_letters_are_listed_oldest_first_and_by_choice(
    bench: ScriptBench, store: DeadLetterStore, function: str
) -> None:
    first = await kill(bench, "b", "a", function=function)
    second = await kill(bench, "c", function=function, error="KeyError")
    for position, dead_letter in enumerate([*first, *second]):
        await bench.redis.zadd(keys.DEAD_INDEX, {dead_letter.job_id: position})

    assert await listed(store, function=function) == [*first, *second]
    assert await listed(store, function=function, error="KeyError") == second
    assert await listed(store, function=function, error="OSError") == []
    assert [dead_letter for dead_letter in await listed(store) if dead_letter.function == function] == [
        *first,
        *second,
    ]


async def test_removing_dead_letters_while_they_are_listed_passes_none_over(
    bench: ScriptBench, store: DeadLetterStore, function: str
) -> None:
    ids = [f"{function}:{number:04}" for number in range(450)]
    for job_id in ids:
        await store_dead_letter(bench.redis, dead_letter_of(job_id, bench.queue, function), 1)

    seen = []
    async for dead_letter in store.all(function=function):
        seen.append(dead_letter.job_id)
        await store.discard([dead_letter.job_id])

    assert seen == ids
    assert await listed(store, function=function) == []


async def test_a_dead_letter_is_put_back_as_it_was(
    bench: ScriptBench, store: DeadLetterStore, function: str
) -> None:
    dead_letters = await kill(bench, "a", "b", function=function)

    assert await store.retry(dead_letters) == 2

    jobs = (await bench.claim()).jobs
    assert {job.job_id.decode() for job in jobs} == {bench.id("a"), bench.id("b")}
    assert {(job.payload, job.tries) for job in jobs} == {(b"\xffpayload", 1)}
    assert await store.retry(dead_letters) == 0
    assert await listed(store, function=function) == []


async def test_a_rate_spreads_dead_letters_over_time(
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


async def test_discarded_dead_letters_leave_nothing(
    bench: ScriptBench, store: DeadLetterStore, function: str
) -> None:
    await bench.enqueue("a")
    await bench.finish(await bench.claim_one(), "retry", record=b"{}")
    await bench.finish(await bench.claim_one(), "dead", record=b"{}")
    kept = await kill(bench, "b", function=function)

    assert await store.discard([bench.id("a"), "never"]) == 1

    assert await bench.places_of("a") == set()
    assert await listed(store, function=function) == kept


@pytest.mark.parametrize("none", [[], ()])
async def test_discarding_nothing_is_no_error(store: DeadLetterStore, none: Sequence[str]) -> None:
    assert await store.discard(none) == 0


async def test_a_dead_letter_whose_id_is_not_utf_8_is_found_and_discarded_as_it_is_shown(
    bench: ScriptBench, store: DeadLetterStore, function: str
) -> None:
    raw = b"\xff\xfe" + bench.id("a").encode()
    shown = raw.decode(errors="backslashreplace")
    await bench.redis.zadd(bench.queue, {raw: 1})
    dead_letter = dead_letter_of(shown, bench.queue, function)
    await bench.finish(await bench.claim_one(), "dead", record=dead_letter.model_dump_json().encode())

    (listed_dead_letter,) = await listed(store, function=function)
    assert await store.get(listed_dead_letter.job_id) == dead_letter
    assert await store.discard([listed_dead_letter.job_id]) == 1
    assert await listed(store, function=function) == []


@pytest.mark.parametrize("escaped", [r"k\x41", r"k\xc3\xa9"])
async def test_an_id_that_looks_like_escaped_bytes_is_that_of_its_own_dead_letter_alone(
    bench: ScriptBench, store: DeadLetterStore, function: str, escaped: str
) -> None:
    plain = bench.id(escaped.encode().decode("unicode_escape").encode("latin-1").decode())
    await store_dead_letter(bench.redis, dead_letter_of(bench.id(escaped), bench.queue, function), 1)
    await store_dead_letter(bench.redis, dead_letter_of(plain, bench.queue, function), 2)

    assert await store.discard([bench.id(escaped)]) == 1

    assert [dead_letter.job_id for dead_letter in await listed(store, function=function)] == [plain]
