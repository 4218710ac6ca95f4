import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from arq.connections import ArqRedis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from tests.support.waiting import until
from tests.unit.engine.conftest import KeptEvents, NotedHealth, NotedLimit, with_replaced
from worker.engine import completer
from worker.engine.completer import Completer, ResultTooLarge
from worker.engine.events import CompletionDropped, CompletionRefused, CompletionsStored
from worker.queue.completion import Completion
from worker.queue.scripts import Scripts

WRONG_TYPE = ResponseError("Error running script (call to f_0): @user_script:9: WRONGTYPE Operation against a key")


class ScriptedScripts(Scripts):
    """Scripts that note each group of completions, and answer as the test says: applied if it says nothing.

    A completion of a job in `poison` meets a key of another type. Groups wait while `open` is not set.
    """

    def __init__(self, redis: ArqRedis) -> None:
        super().__init__(redis)
        self.groups: list[list[Completion]] = []
        self.answers: deque[list[bool] | Exception] = deque()
        self.poison: set[bytes] = set()
        self.open = asyncio.Event()
        self.open.set()

    @property
    def sizes(self) -> list[int]:
        return [len(group) for group in self.groups]

    async def finish(self, completions: Iterable[Completion]) -> list[bool]:
        group = list(completions)
        self.groups.append(group)
        await self.open.wait()
        if any(completion.job_id in self.poison for completion in group):
            raise WRONG_TYPE
        answer = self.answers.popleft() if self.answers else [True] * len(group)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
async def scripts(redis: ArqRedis) -> ScriptedScripts:
    return ScriptedScripts(redis)


@pytest.fixture
async def limit(redis: ArqRedis) -> NotedLimit:
    return NotedLimit(redis)


@pytest.fixture
async def store(scripts: ScriptedScripts, health: NotedHealth, events: KeptEvents, limit: NotedLimit) -> Completer:
    return Completer(scripts, health, events, limit, timeout_s=5)


@asynccontextmanager
async def storing(store: Completer, tasks: int = 1) -> AsyncIterator[None]:
    """Store what is submitted; a loop that ends by an error ends the test instead of letting it wait."""
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(store.run()) for _ in range(tasks)]
        yield
        for task in running:
            assert not task.done(), "storing ended by itself"
            task.cancel()


def done(number: int, **values: bytes) -> Completion:
    return Completion(b"%d" % number, "queue", "token", "done", **values)  # type: ignore[arg-type]


def submit(store: Completer, count: int) -> "list[asyncio.Future[bool]]":
    return [store.submit(done(number)) for number in range(count)]


async def test_what_comes_in_together_is_stored_together(
    store: Completer, scripts: ScriptedScripts, events: KeptEvents, health: NotedHealth
) -> None:
    async with storing(store):
        assert await asyncio.gather(*submit(store, 3)) == [True] * 3

    assert scripts.groups == [[done(0), done(1), done(2)]]
    (stored,) = events.of(CompletionsStored)
    assert (stored.applied, stored.refused, stored.seconds >= 0) == (3, 0, True)
    assert health.answers == 1


async def test_nothing_is_stored_until_something_is_submitted(store: Completer, scripts: ScriptedScripts) -> None:
    async with storing(store):
        await asyncio.sleep(0)
        assert scripts.groups == []
        assert await store.submit(done(1))
        assert await store.submit(done(2))

    assert scripts.groups == [[done(1)], [done(2)]]


async def test_what_arrives_while_a_group_is_on_its_way_makes_the_next(
    store: Completer, scripts: ScriptedScripts
) -> None:
    scripts.open.clear()
    async with storing(store):
        first = store.submit(done(0))
        await until(lambda: scripts.groups)
        others = [store.submit(done(number)) for number in (1, 2)]
        scripts.open.set()
        assert await asyncio.gather(first, *others) == [True] * 3

    assert scripts.groups == [[done(0)], [done(1), done(2)]]


async def test_two_tasks_store_two_groups_at_once(store: Completer, scripts: ScriptedScripts) -> None:
    scripts.open.clear()
    async with storing(store, tasks=2):
        first = store.submit(done(0))
        await until(lambda: len(scripts.groups) == 1)
        second = store.submit(done(1))
        await until(lambda: len(scripts.groups) == 2)
        assert not first.done()
        scripts.open.set()
        assert await asyncio.gather(*[first, second]) == [True] * 2


async def test_the_oldest_group_that_is_on_its_way_is_known(
    store: Completer, scripts: ScriptedScripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(completer, "time", with_replaced(time, monotonic=lambda: now))
    scripts.open.clear()
    async with storing(store, tasks=2):
        assert store.oldest_wait_s == 0
        stored = [store.submit(done(0))]
        await until(lambda: len(scripts.groups) == 1)
        now += 3
        stored.append(store.submit(done(1)))
        await until(lambda: len(scripts.groups) == 2)
        now += 4
        assert store.oldest_wait_s == 7
        scripts.open.set()
        await asyncio.gather(*stored)
        await until(lambda: store.oldest_wait_s == 0)


@pytest.mark.parametrize(("count", "sizes"), [(100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
async def test_a_group_holds_a_hundred_completions(
    store: Completer, scripts: ScriptedScripts, count: int, sizes: list[int]
) -> None:
    async with storing(store):
        assert await asyncio.gather(*submit(store, count)) == [True] * count

    assert scripts.sizes == sizes
    assert [completion for group in scripts.groups for completion in group] == [done(n) for n in range(count)]


@pytest.mark.parametrize("field", ["result", "record"])
@pytest.mark.parametrize(
    ("lengths", "sizes"), [([9] * 7, [3, 3, 1]), ([10] * 3, [2, 1]), ([19, 1, 1], [2, 1]), ([20, 1], [1, 1])]
)
async def test_a_group_ends_with_the_completion_that_makes_it_too_large(
    store: Completer,
    scripts: ScriptedScripts,
    monkeypatch: pytest.MonkeyPatch,
    field: str,
    lengths: list[int],
    sizes: list[int],
) -> None:
    monkeypatch.setattr(completer, "_GROUP_BYTES", 20)
    completions = [done(number, **{field: bytes(length)}) for number, length in enumerate(lengths)]
    async with storing(store):
        assert all(await asyncio.gather(*map(store.submit, completions)))

    assert scripts.sizes == sizes


async def test_a_group_stays_far_below_what_redis_takes(store: Completer, scripts: ScriptedScripts) -> None:
    half = bytes(8 * 1024 * 1024)
    async with storing(store):
        assert all(await asyncio.gather(*(store.submit(done(number, result=half)) for number in range(5))))

    assert scripts.sizes == [2, 2, 1]


async def test_a_completion_larger_than_a_group_is_stored_alone(
    store: Completer, scripts: ScriptedScripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completer, "_GROUP_BYTES", 20)
    async with storing(store):
        completions = [done(0, result=bytes(11), record=bytes(11)), done(1)]
        assert await asyncio.gather(*map(store.submit, completions)) == [True] * 2

    assert scripts.sizes == [1, 1]


async def test_what_comes_too_late_is_refused_and_reported(
    store: Completer, scripts: ScriptedScripts, events: KeptEvents
) -> None:
    scripts.answers.append([True, False, True, False])
    async with storing(store):
        assert await asyncio.gather(*submit(store, 4)) == [True, False, True, False]

    assert events.of(CompletionRefused) == [CompletionRefused("1"), CompletionRefused("3")]
    (stored,) = events.of(CompletionsStored)
    assert (stored.applied, stored.refused) == (2, 2)


async def test_the_id_of_a_refused_job_is_shown_as_text(
    store: Completer, scripts: ScriptedScripts, events: KeptEvents
) -> None:
    scripts.answers.append([False])
    async with storing(store):
        await store.submit(done(1)._replace(job_id=b"id-\xff"))

    assert events.of(CompletionRefused) == [CompletionRefused(r"id-\xff")]


@pytest.mark.parametrize("errors", [1, 3])
async def test_a_group_whose_answer_was_lost_is_repeated_and_counts_as_applied_once(
    store: Completer, scripts: ScriptedScripts, events: KeptEvents, health: NotedHealth, errors: int
) -> None:
    lost = [RedisConnectionError("cut"), ReadOnlyError("READONLY"), TimeoutError()][:errors]
    # What the lost call has applied is refused when it is repeated.
    scripts.answers.extend([*lost, [False, True]])
    async with storing(store):
        stored = submit(store, 2)
        assert await asyncio.gather(*stored) == [True, True]

    assert scripts.groups == [[done(0), done(1)]] * (errors + 1)
    assert health.failures == lost
    assert health.answers == 1
    (event,) = events.sent
    assert isinstance(event, CompletionsStored)
    assert (event.applied, event.refused) == (2, 0)


async def test_no_completion_is_dropped_however_long_redis_is_away(
    store: Completer, scripts: ScriptedScripts, health: NotedHealth
) -> None:
    scripts.answers.extend(RedisConnectionError(str(number)) for number in range(50))
    async with storing(store):
        assert await asyncio.gather(*submit(store, 2)) == [True, True]

    assert len(health.failures) == 50


@pytest.mark.parametrize("answer", [ValueError("a defect"), [True]], ids=["raised", "too short"])
async def test_a_defect_is_not_taken_for_an_outage(
    store: Completer, scripts: ScriptedScripts, answer: list[bool] | Exception
) -> None:
    scripts.answers.append(answer)
    submit(store, 2)

    with pytest.raises(ValueError, match=r"a defect|shorter"):
        await asyncio.wait_for(store.run(), 10)


async def test_what_meets_a_key_of_another_type_is_dropped_and_blocks_no_other(
    store: Completer, scripts: ScriptedScripts, events: KeptEvents, health: NotedHealth
) -> None:
    scripts.poison = {b"1", b"3"}
    async with storing(store):
        assert await asyncio.gather(*submit(store, 5)) == [True, False, True, False, True]
        assert await store.submit(done(6))

    assert scripts.sizes == [5, 1, 1, 1, 1, 1, 1]
    assert events.of(CompletionDropped) == [
        CompletionDropped("1", "ResponseError", "WRONGTYPE"),
        CompletionDropped("3", "ResponseError", "WRONGTYPE"),
    ]
    # Redis is well: repeating the call would change nothing.
    assert health.failures == []
    assert sum(event.applied for event in events.of(CompletionsStored)) == 4


async def test_a_lone_completion_that_meets_a_key_of_another_type_is_not_tried_twice(
    store: Completer, scripts: ScriptedScripts
) -> None:
    scripts.poison = {b"0"}
    async with storing(store):
        assert not await store.submit(done(0))

    assert scripts.sizes == [1]


async def test_an_outage_while_completions_are_stored_apart_is_waited_out(
    store: Completer, scripts: ScriptedScripts, health: NotedHealth
) -> None:
    scripts.poison = {b"0"}
    lost = RedisConnectionError("cut")
    scripts.answers.append(lost)
    async with storing(store):
        assert await asyncio.gather(*submit(store, 2)) == [False, True]

    assert health.failures == [lost]


async def test_nobody_may_wait_for_an_answer_any_more(store: Completer, scripts: ScriptedScripts) -> None:
    scripts.poison = {b"1"}
    stored = submit(store, 3)
    stored[0].cancel()
    stored[1].cancel()
    async with storing(store):
        assert await asyncio.wait_for(stored[2], 10)
        assert await asyncio.wait_for(store.submit(done(4)), 10)

    # The job has ended all the same.
    assert done(0) in scripts.groups[1]


async def test_the_event_says_how_long_storing_took(
    store: Completer, scripts: ScriptedScripts, events: KeptEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completer, "time", with_replaced(time, monotonic=iter([99.0, 100.0, 102.5]).__next__))
    async with storing(store):
        assert await store.submit(done(1))

    assert events.of(CompletionsStored) == [CompletionsStored(1, 0, 2.5)]


async def test_two_thousand_waiting_completions_are_too_many_until_five_hundred_are_left(store: Completer) -> None:
    submit(store, 2_000)
    seen = [store.is_congested]
    store.submit(done(2_000))
    seen.append(store.is_congested)
    for left in (501, 500):
        while len(store._waiting) > left:
            store._waiting.popleft()
        seen.append(store.is_congested)

    assert seen == [False, True, True, False]


async def test_storing_that_falls_behind_is_congested_until_it_has_caught_up(
    store: Completer, scripts: ScriptedScripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_HIGH_MARK", 5), ("_LOW_MARK", 2), ("_GROUP_SIZE", 1)):
        monkeypatch.setattr(completer, name, value)
    submit(store, 5)
    assert not store.is_congested
    last = store.submit(done(5))
    seen: list[bool] = [store.is_congested]
    finish = scripts.finish

    async def watched(completions: Iterable[Completion]) -> list[bool]:
        seen.append(store.is_congested)
        return await finish(completions)

    monkeypatch.setattr(scripts, "finish", watched)
    async with storing(store):
        assert await last

    # Behind the one on its way five, four and three are waiting: still above the low mark.
    assert seen == [True, True, True, True, False, False, False]
    # Only the high mark makes it congested again.
    submit(store, 5)
    assert not store.is_congested


# ---- groups that fail for a reason of a member ----------------------------------------------------------------


class Refusing(ScriptedScripts):
    """Scripts that lose the connection over a group with one of these jobs."""

    refused: frozenset[bytes] = frozenset()

    async def finish(self, completions: Iterable[Completion]) -> list[bool]:
        group = list(completions)
        self.groups.append(group)
        if any(completion.job_id in self.refused for completion in group):
            raise RedisConnectionError("closed")
        return [True] * len(group)


@pytest.fixture
async def refusing(redis: ArqRedis) -> Refusing:
    return Refusing(redis)


@pytest.fixture
async def refused_store(
    refusing: Refusing, health: NotedHealth, events: KeptEvents, limit: NotedLimit
) -> Completer:
    return Completer(refusing, health, events, limit, timeout_s=5)


async def test_a_result_above_the_limit_is_refused_at_once(store: Completer, limit: NotedLimit) -> None:
    limit.bytes = 10
    async with storing(store):
        assert await store.submit(done(1, result=bytes(10)))
        with pytest.raises(ResultTooLarge, match=r"^result too large: 11 bytes, limit 10 "):
            await store.submit(done(2, result=bytes(11)))


async def test_a_limit_that_was_lowered_is_found_and_holds_no_other(
    refused_store: Completer, refusing: Refusing, limit: NotedLimit
) -> None:
    refusing.refused = frozenset({b"1"})
    limit.answers, limit.bytes = True, 2_000_000

    async def lowered() -> bool:
        limit.bytes = 1_000_000
        return True

    limit.read = lowered  # type: ignore[method-assign]
    completions = [done(0), done(1, result=bytes(1_000_001)), done(2)]
    async with storing(refused_store):
        stored = await asyncio.gather(*map(refused_store.submit, completions), return_exceptions=True)

    assert [stored[0], stored[2]] == [True, True]
    assert isinstance(stored[1], ResultTooLarge)
    assert len(refusing.groups) <= 4


async def test_a_large_result_that_redis_never_takes_is_given_up(
    refused_store: Completer, refusing: Refusing, limit: NotedLimit
) -> None:
    refusing.refused, limit.answers = frozenset({b"1"}), True
    completions = [done(0), done(1, result=bytes(600_000)), *(done(number) for number in range(2, 50))]
    async with storing(refused_store):
        stored = await asyncio.gather(*map(refused_store.submit, completions), return_exceptions=True)

    assert [number for number, answer in enumerate(stored) if answer is not True] == [1]
    assert "not stored in 5 tries" in str(stored[1])


async def test_a_small_completion_that_fails_alone_is_never_given_up_and_holds_no_other(
    refused_store: Completer, refusing: Refusing, limit: NotedLimit
) -> None:
    refusing.refused, limit.answers = frozenset({b"1"}), True
    async with storing(refused_store):
        stuck = refused_store.submit(done(1))
        assert await asyncio.gather(*(refused_store.submit(done(number)) for number in range(2, 300)))
        await until(lambda: refusing.groups.count([done(1)]) > 20)
        assert not stuck.done()
        refusing.refused = frozenset()
        assert await stuck


async def test_an_outage_divides_no_group(store: Completer, scripts: ScriptedScripts, limit: NotedLimit) -> None:
    scripts.answers.extend(RedisConnectionError("gone") for _ in range(10))
    async with storing(store):
        assert await asyncio.gather(*submit(store, 8)) == [True] * 8

    assert scripts.sizes == [8] * 11
    assert limit.reads == 10


@pytest.mark.parametrize(
    "error", [ReadOnlyError("READONLY"), ResponseError("MISCONF no")], ids=["READONLY", "MISCONF"]
)
async def test_a_refusal_of_every_write_divides_no_group(
    store: Completer, scripts: ScriptedScripts, limit: NotedLimit, error: Exception
) -> None:
    limit.answers = True
    scripts.answers.extend([error] * 5)
    async with storing(store):
        assert await asyncio.gather(*submit(store, 8)) == [True] * 8

    assert scripts.sizes == [8] * 6


class Full(ScriptedScripts):
    """Scripts on a Redis that is full: it takes only groups that need no memory."""

    full = True

    async def finish(self, completions: Iterable[Completion]) -> list[bool]:
        group = list(completions)
        self.groups.append(group)
        if self.full and any(completion.needs_memory for completion in group):
            raise OutOfMemoryError("command not allowed when used memory > 'maxmemory'")
        return [True] * len(group)


async def test_small_completions_go_first_while_redis_is_full(
    redis: ArqRedis, health: NotedHealth, events: KeptEvents, limit: NotedLimit
) -> None:
    scripts = Full(redis)
    store = Completer(scripts, health, events, limit, timeout_s=5)
    large = [store.submit(done(number, result=bytes(100_000))) for number in range(3)]
    small = [store.submit(done(number)) for number in range(3, 20)]
    async with storing(store, tasks=2):
        assert await asyncio.gather(*small) == [True] * 17
        assert not any(stored.done() for stored in large)
        later = store.submit(done(20))
        assert await later
        scripts.full = False
        assert await asyncio.gather(*large) == [True] * 3


async def test_a_result_for_which_redis_will_never_have_memory_is_given_up(
    redis: ArqRedis, health: NotedHealth, events: KeptEvents, limit: NotedLimit
) -> None:
    scripts = Full(redis)
    store = Completer(scripts, health, events, limit, timeout_s=5)
    hopeless = store.submit(done(0, result=bytes(limit.memory + 1)))
    large = store.submit(done(1, result=bytes(limit.memory)))
    async with storing(store, tasks=2):
        with pytest.raises(ResultTooLarge, match=r"2,000,001 bytes, limit 2,000,000 \(half of Redis's maxmemory\)"):
            await hopeless
        assert not large.done()
        scripts.full = False
        assert await large


@pytest.mark.parametrize(
    ("action", "result", "record", "payload", "needs"),
    [
        ("done", 4_096, 0, 0, False),
        ("done", 4_097, 0, 0, True),
        ("done", 50_000, 0, 50_000, False),
        ("done", 54_097, 0, 50_000, True),
        ("dead", 2_000, 2_000, 50_000, False),
        ("dead", 2_000, 3_000, 50_000, True),
        ("retry", 0, 2_500, 50_000, False),
    ],
)
def test_a_completion_needs_memory_beyond_what_its_job_frees(
    action: Any, result: int, record: int, payload: int, needs: bool
) -> None:
    completion = Completion(
        b"1", "queue", "token", action, bytes(result), record=bytes(record), payload=bytes(payload)
    )

    assert completion.needs_memory == needs


async def test_groups_get_smaller_over_a_slow_link(
    store: Completer, scripts: ScriptedScripts, limit: NotedLimit
) -> None:
    limit.answers = True
    scripts.answers.extend([TimeoutError()] * 4)
    large = bytes(2 * 1024 * 1024)
    async with storing(store):
        assert all(await asyncio.gather(*(store.submit(done(number, result=large)) for number in range(24))))

    # What timed out is sent in halves, and the next groups are smaller from the start.
    assert scripts.sizes[:3] == [8, 4, 4]
