"""Operations on many dead letters: at a rate, stopped, continued, each letter once."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError

from tests.support.dead_letters import store_dead_letter
from tests.support.waiting import until
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter, Failure
from worker.queue.dead_letter_store import StoredDeadLetter
from worker.queue.dead_operations import DeadOperations, Operation, OperationNotFound, Plan, new_operation_id

MANY = 20_000


class Letters:
    """Dead letters of one function, and the queue that they go back to."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis
        self.function = f"job_{uuid.uuid4().hex}"
        self.queue = f"queue:{self.function}"
        self.operations = DeadOperations(redis)

    def letter(self, number: int, **values: Any) -> DeadLetter:
        failure = Failure(type="E", message="m", tries=1, at_ms=1)
        given: dict[str, Any] = {
            "job_id": f"{self.function}:{number}", "function": self.function, "queue": self.queue,
            "payload_bytes": 7, "reason": "r", "failure": failure, "crashes": 0, "worker": "w",
        }  # fmt: skip
        return DeadLetter(**{**given, **values})

    async def store(self, count: int) -> None:
        for first in range(0, count, 1_000):
            async with self.redis.pipeline(transaction=False) as pipe:
                for number in range(first, min(first + 1_000, count)):
                    letter = self.letter(number)
                    pipe.hset(keys.DEAD, letter.job_id, letter.stored())
                    pipe.zadd(keys.DEAD_INDEX, {letter.job_id: 1})
                    pipe.set(keys.DEAD_PAYLOAD + letter.job_id, b"payload")
                await pipe.execute()

    async def begin(self, act: Any, total: int, **values: Any) -> Operation:
        now_ms = await self.operations.now_ms()
        given = {"selection": {"function": self.function}, "by": "ops@vm", "begun_ms": now_ms, **values}
        return await self.operations.begin(Plan(act=act, total=total, **given), new_operation_id(now_ms))

    async def left(self) -> int:
        """Return how many of these dead letters there are."""
        return sum([len(page) async for page in self.operations._pages(await self._plan())])

    async def _plan(self) -> Plan:
        return Plan(act="retry", selection={"function": self.function}, total=0, by="x", begun_ms=0)

    async def queued(self) -> int:
        return int(await self.redis.zcard(self.queue))


@pytest.fixture
def letters(redis: Any) -> Letters:
    return Letters(redis)


def nothing(_: int) -> None:
    pass


async def test_all_letters_are_retried_once_with_their_payloads(letters: Letters) -> None:
    await letters.store(MANY)
    other = Letters(letters.redis)
    await other.store(3)
    operation = await letters.begin("retry", MANY)
    seen: list[int] = []
    assert await letters.operations.run(operation, seen.append) == "finished"
    ended = await letters.operations.get(operation.id)
    assert (ended.state, ended.done, ended.left_out) == ("finished", MANY, 0)
    assert seen == sorted(seen)
    assert (await letters.left(), await letters.queued()) == (0, MANY)
    assert await letters.redis.get(f"{keys.JOB}{letters.function}:{MANY - 1}") == b"payload"
    assert not await letters.redis.exists(f"{keys.DEAD_PAYLOAD}{letters.function}:0")
    assert await other.left() == 3


async def test_all_letters_are_discarded(letters: Letters) -> None:
    await letters.store(500)
    operation = await letters.begin("discard", 500)
    assert await letters.operations.run(operation, nothing) == "finished"
    assert (await letters.left(), await letters.queued()) == (0, 0)
    assert not await letters.redis.exists(*(f"{keys.DEAD_PAYLOAD}{letters.function}:{n}" for n in range(500)))


async def test_a_rate_is_kept(letters: Letters) -> None:
    await letters.store(60)
    operation = await letters.begin("discard", 60, rate=100)
    began = time.monotonic()
    assert await letters.operations.run(operation, nothing) == "finished"
    # The first 50 go at once, the others half a second later.
    assert time.monotonic() - began >= 0.5


async def test_an_operation_is_stopped_from_elsewhere_and_continued(letters: Letters) -> None:
    await letters.store(MANY)
    elsewhere = DeadOperations(letters.redis)
    operation = await letters.begin("retry", MANY, rate=4_000)
    running = asyncio.create_task(letters.operations.run(operation, nothing))
    await until(letters.queued)
    assert (await elsewhere.get(operation.id)).state == "running"
    assert await elsewhere.stop(operation.id) == "running"
    assert await running == "stopped"
    stopped = await elsewhere.get(operation.id)
    assert stopped.state == "stopped"
    assert 0 < stopped.done < MANY
    assert stopped.done == await letters.queued() == MANY - await letters.left()

    # One of them ran since, and died again: that is another dead letter.
    again = letters.letter(0)
    await letters.redis.zrem(letters.queue, again.job_id)
    await letters.redis.rename(keys.JOB + again.job_id, keys.DEAD_PAYLOAD + again.job_id)
    await store_dead_letter(letters.redis, again, operation.plan.begun_ms + 1)

    assert await elsewhere.take(operation.id) == "stopped"
    fast = stopped.model_copy(update={"plan": stopped.plan.model_copy(update={"rate": None})})
    assert await elsewhere.run(fast, nothing) == "finished"
    ended = await elsewhere.get(operation.id)
    assert (ended.done, ended.left_out) == (MANY, 0)
    assert (await letters.left(), await letters.queued()) == (1, MANY - 1)
    assert await elsewhere.stop(operation.id) == "finished"


async def test_a_slow_operation_notices_soon_that_it_was_stopped(letters: Letters) -> None:
    await letters.store(2)
    operation = await letters.begin("discard", 2, rate=0.01)
    running = asyncio.create_task(letters.operations.run(operation, nothing))
    await until(lambda: one_left(letters))
    await DeadOperations(letters.redis).stop(operation.id)
    assert await asyncio.wait_for(running, 5) == "stopped"
    assert await letters.left() == 1


async def test_an_operation_that_passes_over_what_does_not_match_runs_and_can_be_stopped(
    letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = await letters.begin("discard", 1)
    long_ago = await letters.operations.now_ms() - 6_000
    await letters.redis.hset(keys.DEAD_OPERATION + operation.id, "seen", long_ago)
    monkeypatch.setattr(letters.operations, "_pages", none_that_matches)
    elsewhere = DeadOperations(letters.redis)
    running = asyncio.create_task(letters.operations.run(operation, nothing))
    try:
        await until(lambda: is_running(elsewhere, operation.id))
        await elsewhere.stop(operation.id)
        assert await asyncio.wait_for(running, 10) == "stopped"
    finally:
        running.cancel()


async def none_that_matches(_: Plan) -> AsyncIterator[list[StoredDeadLetter]]:
    while True:
        yield []
        await asyncio.sleep(0.001)


async def is_running(operations: DeadOperations, operation_id: str) -> bool:
    return (await operations.get(operation_id)).state == "running"


async def one_left(letters: Letters) -> bool:
    return await letters.left() == 1


async def test_of_two_commands_that_run_one_operation_only_the_later_goes_on(letters: Letters) -> None:
    await letters.store(2)
    operation = await letters.begin("discard", 2)
    later = DeadOperations(letters.redis)
    await later.take(operation.id)
    assert await letters.operations.run(operation, nothing) == "taken"
    assert await letters.left() == 2
    assert await later.run(operation, nothing) == "finished"


async def test_letters_that_cannot_be_retried_are_left_out_and_stay(letters: Letters) -> None:
    await letters.store(3)
    # One lost its payload, and a job of the id of another waits.
    await letters.redis.delete(f"{keys.DEAD_PAYLOAD}{letters.function}:0")
    await letters.redis.set(f"{keys.JOB}{letters.function}:1", b"another")
    operation = await letters.begin("retry", 3)
    assert await letters.operations.run(operation, nothing) == "finished"
    ended = await letters.operations.get(operation.id)
    assert (ended.done, ended.left_out) == (1, 2)
    assert await letters.left() == 2
    assert await letters.redis.get(f"{keys.JOB}{letters.function}:1") == b"another"


@pytest.mark.parametrize("act", ["retry", "discard"])
async def test_letters_that_died_after_the_preview_are_not_left_out_because_they_were_not_meant(
    letters: Letters, act: str
) -> None:
    await letters.store(3)
    operation = await letters.begin(act, 2)
    await letters.redis.zadd(keys.DEAD_INDEX, {f"{letters.function}:2": operation.plan.begun_ms + 1})
    assert await letters.operations.run(operation, nothing) == "finished"
    ended = await letters.operations.get(operation.id)
    assert (ended.done, ended.left_out, await letters.left()) == (2, 0, 1)


async def test_an_operation_whose_command_is_gone_is_interrupted(letters: Letters) -> None:
    operation = await letters.begin("discard", 1)
    name = keys.DEAD_OPERATION + operation.id
    await letters.redis.hset(name, "seen", await letters.operations.now_ms() - 6_000)
    assert (await letters.operations.get(operation.id)).state == "interrupted"
    assert 0 < await letters.redis.ttl(name) <= 30 * 86_400


@pytest.mark.parametrize("stored", [{"plan": "{}"}, {"state": "running"}, {"plan": "[", "state": "x", "done": "y"}])
async def test_what_another_program_wrote_is_no_operation(letters: Letters, stored: dict[str, str]) -> None:
    await letters.redis.hset(keys.DEAD_OPERATION + letters.function, mapping=stored)
    await letters.redis.zadd(keys.DEAD_OPERATIONS, {letters.function: 1})
    assert letters.function not in [operation.id for operation in await letters.operations.all()]
    with pytest.raises(OperationNotFound):
        await letters.operations.get(letters.function)
    assert await letters.operations.run(await letters.begin("discard", 0), nothing) == "finished"


@pytest.mark.parametrize("rate", [0, 0.009, -1, float("inf"), float("nan")])
def test_a_plan_has_a_rate_that_can_be_kept(rate: float) -> None:
    with pytest.raises(ValidationError):
        Plan(act="retry", total=1, rate=rate, by="x", begun_ms=0)
