import asyncio
import dataclasses
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from arq.connections import ArqRedis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError

from tests.support.waiting import until
from tests.unit.engine.conftest import (
    QUEUE,
    WORKER_ID,
    KeptEvents,
    NotedHealth,
    claimed,
    job_options,
    stop_all,
    with_replaced,
)
from worker.engine import claimer as claimer_module
from worker.engine import completer
from worker.engine.circuit_breaker import CircuitBreaker
from worker.engine.claimer import Claimer
from worker.engine.context import EngineContext
from worker.engine.events import Claimed as ClaimedEvent
from worker.engine.events import ClaimFailed, ClaimRecovered, JobTooLargeForLink
from worker.engine.slots import Slots
from worker.queue.claim import Claim, ClaimedJob
from worker.queue.completion import Completion
from worker.queue.scripts import LARGEST_ANSWER, Scripts
from worker.redis.client import call_timeout_s

NOW_MS = 1_700_000_000_000
POLL_DELAY_S = 60.0


def found(*names: str, next_in_ms: int | None = None, queue: str = QUEUE) -> Claim:
    """Return an answer to a claim; nothing else will be due unless it says when."""
    next_due_ms = -1 if next_in_ms is None else NOW_MS + next_in_ms
    return Claim(NOW_MS, next_due_ms, [claimed(name.encode(), queue) for name in names])


class ScriptedScripts(Scripts):
    """Scripts that note their calls and answer as the test says; nothing is due if it says nothing."""

    def __init__(self, redis: ArqRedis) -> None:
        super().__init__(redis)
        self.claims: deque[Claim | Exception] = deque()
        self.recoveries: deque[int | Exception] = deque()
        self.calls: list[tuple[str, str]] = []
        self.wanted: list[int] = []
        self.limits: list[list[tuple[str, int]]] = []
        self.leases_ms: list[int] = []
        self.answers: list[int] = []
        self.rates: list[Mapping[str, float] | None] = []
        self.recovered_queues: list[list[str]] = []
        self.deferred_ms: list[int] = []
        self.before_answer: Callable[[], None] = lambda: None

    async def claim(
        self,
        token: str,
        lease_ms: int,
        wanted: int,
        queues: Sequence[tuple[str, int]],
        largest_answer: int = LARGEST_ANSWER,
        rates: Mapping[str, float] | None = None,
    ) -> Claim:
        self.rates.append(rates)
        self.answers.append(largest_answer)
        self.calls.append(("claim", token))
        self.wanted.append(wanted)
        self.limits.append(list(queues))
        self.leases_ms.append(lease_ms)
        self.before_answer()
        answer = self.claims.popleft() if self.claims else found()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def recover(self, token: str, queues: Sequence[str], defer_ms: int = 0) -> tuple[int, bytes]:
        self.calls.append(("recover", token))
        self.recovered_queues.append(list(queues))
        self.deferred_ms.append(defer_ms)
        answer = self.recoveries.popleft() if self.recoveries else 0
        if isinstance(answer, Exception):
            raise answer
        return answer, b"job-%d" % len(self.deferred_ms)


class HeldSlots(Slots):
    """Slots whose jobs run until the test frees them."""

    def __init__(self, *running: str) -> None:
        self.running = list(running)
        self.started: list[tuple[list[bytes], str]] = []

    def __len__(self) -> int:
        return len(self.running)

    def queues(self) -> list[str]:
        return list(self.running)

    async def start(self, claimed: Iterable[ClaimedJob], token: str) -> None:
        jobs = list(claimed)
        self.running += [job.queue for job in jobs]
        self.started.append(([job.job_id for job in jobs], token))


class Stage:
    """A claimer between doubles. Its pauses take no time: each makes the test take a step; the last stops it."""

    def __init__(self, context: EngineContext, events: KeptEvents) -> None:
        self.scripts = ScriptedScripts(context.redis)
        self.context = dataclasses.replace(
            context, scripts=self.scripts, breaker=CircuitBreaker(events, lambda: self.now, lambda: 1.0)
        )
        self.events = events
        self.slots = HeldSlots()
        self.options: dict[str, Any] = {"max_jobs": 10, "poll_delay_s": POLL_DELAY_S}
        self.may_claim = True
        self.started_before = 0
        self.pauses: list[float] = []
        self.steps: deque[Callable[[], object]] = deque()
        self.now = 0.0

    def claimer(self) -> Claimer:
        return Claimer(
            job_options(**self.options),
            self.context,
            self.slots,
            may_claim=lambda: self.may_claim,
            started=lambda: self.started_before + len(self.slots),
        )

    def pause(self, seconds: float) -> asyncio.Timeout:
        self.pauses.append(seconds)
        (self.steps.popleft() if self.steps else self.context.stopping.set)()
        return asyncio.timeout(0)

    async def run(self) -> None:
        """Run the claim loop until the steps of the test are used up."""
        await asyncio.wait_for(self.claimer().run(), 10)

    def burst(self, limit: int = -1) -> None:
        self.options |= {"burst": True, "max_burst_jobs": limit}


@pytest.fixture
async def stage(context: EngineContext, events: KeptEvents, monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage(context, events)
    monkeypatch.setattr(claimer_module, "asyncio", with_replaced(asyncio, timeout=stage.pause))
    return stage


def go_on() -> None:
    """Let a pause end without a change."""


def token(number: int) -> str:
    return f"{WORKER_ID}:{number}"


async def test_all_free_slots_are_asked_for_and_what_was_claimed_is_started(stage: Stage) -> None:
    stage.slots.running = [QUEUE] * 3
    stage.scripts.claims.append(found("a", "b"))
    await stage.run()

    assert stage.scripts.wanted == [7]
    assert stage.scripts.limits == [[(QUEUE, 7)]]
    assert stage.scripts.leases_ms == [10_000]
    assert stage.slots.started == [([b"a", b"b"], token(1))]


async def test_queues_of_sources_take_turns_and_rates_are_passed_on(stage: Stage) -> None:
    stage.context = dataclasses.replace(
        stage.context,
        queues={QUEUE: 10, "arq:queue:cms": 10},
        source_queues={"own": QUEUE, "cms": "arq:queue:cms"},
        rate_limits={QUEUE: 5},
    )
    stage.steps.append(go_on)
    await stage.run()

    assert stage.scripts.limits == [
        [("arq:queue:cms", 5), (QUEUE, 5), ("arq:queue:cms", 5), (QUEUE, 5)],
        [(QUEUE, 5), ("arq:queue:cms", 5), (QUEUE, 5), ("arq:queue:cms", 5)],
    ]
    assert stage.scripts.rates == [{QUEUE: 5}] * 2


async def test_never_more_jobs_are_claimed_than_slots_are_free(stage: Stage) -> None:
    stage.scripts.claims.extend([found("a", "b"), found("c"), found()])
    stage.steps.extend([go_on, stage.slots.running.pop])
    await stage.run()

    assert stage.scripts.wanted == [10, 8, 8]


async def test_without_a_free_slot_nothing_is_claimed_until_one_is_freed(stage: Stage) -> None:
    stage.options["max_jobs"] = 2
    stage.scripts.claims.extend([found("a", "b")])
    stage.steps.extend([go_on, stage.slots.running.pop])
    await stage.run()

    assert stage.scripts.wanted == [2, 1]
    assert stage.pauses == [POLL_DELAY_S] * 3


async def test_more_running_jobs_than_slots_ask_for_nothing(stage: Stage) -> None:
    stage.options["max_jobs"] = 1
    stage.slots.running = [QUEUE] * 3
    await stage.run()

    assert stage.scripts.calls == []


async def test_each_claim_has_a_token_of_its_own(stage: Stage) -> None:
    stage.scripts.claims.extend([found("a"), found("b"), found("c")])
    stage.steps.extend([go_on, go_on])
    await stage.run()

    assert [used for _, used in stage.slots.started] == [token(1), token(2), token(3)]
    assert stage.scripts.calls == [("claim", token(number)) for number in (1, 2, 3)]


async def test_a_claim_is_noted_by_all_that_want_to_know(
    stage: Stage, health: NotedHealth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.engine.clock.time.time_ns", lambda: (NOW_MS - 5_000) * 1_000_000)
    monkeypatch.setattr(claimer_module, "time", with_replaced(time, monotonic=iter([100.0, 102.5]).__next__))
    stage.scripts.claims.append(found("a", "b"))
    await stage.run()

    assert stage.events.of(ClaimedEvent) == [ClaimedEvent(2, 10, 2.5)]
    assert health.answers == 1
    assert stage.context.clock.ahead_ms == 5_000


@pytest.mark.parametrize(
    ("next_in_ms", "seconds"),
    [
        (None, POLL_DELAY_S),
        (700, 0.7),
        (90_000, POLL_DELAY_S),
        (0, 0.001),
        (-5, 0.001),
    ],
    ids=["none", "soon", "later than the poll delay", "now", "past"],
)
async def test_an_idle_worker_waits_until_the_next_job_is_due(
    stage: Stage, next_in_ms: int | None, seconds: float
) -> None:
    stage.scripts.claims.append(found("a", next_in_ms=next_in_ms))
    await stage.run()

    assert stage.pauses == [seconds]


async def test_a_claim_that_filled_all_slots_is_not_followed_by_a_pause(stage: Stage) -> None:
    stage.options["max_jobs"] = 2
    stage.scripts.claims.append(found("a", "b", next_in_ms=700))
    await stage.run()

    # The one pause is that of a worker without free slots.
    assert stage.pauses == [POLL_DELAY_S]


async def test_nothing_is_claimed_while_the_worker_may_not(stage: Stage) -> None:
    stage.may_claim = False
    stage.steps.extend([go_on, lambda: setattr(stage, "may_claim", True)])
    await stage.run()

    assert stage.pauses == [POLL_DELAY_S] * 3
    assert stage.scripts.wanted == [10]


async def test_nothing_is_claimed_while_storing_has_fallen_behind(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completer, "_HIGH_MARK", 1)
    monkeypatch.setattr(completer, "_LOW_MARK", 0)
    waiting = stage.context.completer._waiting
    for number in range(2):
        stage.context.completer.submit(Completion(b"%d" % number, QUEUE, "token", "done"))
    stage.steps.extend([waiting.pop, waiting.pop])
    await stage.run()

    assert stage.pauses == [POLL_DELAY_S] * 3
    assert stage.scripts.wanted == [10]


async def test_an_open_breaker_lets_one_job_probe_at_its_time(stage: Stage) -> None:
    breaker = stage.context.breaker
    stop_all(breaker)

    def pass_time() -> None:
        stage.now += breaker.wait_s

    stage.scripts.claims.append(found("a"))
    stage.steps.extend([pass_time])
    await stage.run()

    # The claimed probe puts the next one off.
    assert stage.scripts.wanted == [1]
    assert stage.pauses == [0.125, 0.25]


async def test_a_worker_that_was_told_to_stop_claims_nothing(stage: Stage) -> None:
    stage.context.stopping.set()
    await stage.run()

    assert (stage.scripts.calls, stage.pauses) == ([], [])


async def test_a_claim_that_comes_back_while_the_worker_stops_is_started(stage: Stage) -> None:
    """Its jobs are leased, and only started jobs are handed back."""
    stage.scripts.before_answer = stage.context.stopping.set
    stage.scripts.claims.append(found("a"))
    await stage.run()

    assert stage.slots.started == [([b"a"], token(1))]
    assert len(stage.scripts.calls) == 1


async def test_queues_are_asked_in_their_order_for_what_each_may_still_run(stage: Stage) -> None:
    stage.context = dataclasses.replace(stage.context, queues={"urgent": 4, "bulk": 2})
    stage.slots.running = ["bulk", "urgent"]
    await stage.run()

    assert stage.scripts.limits == [[("urgent", 3), ("bulk", 1)]]


async def test_a_single_queue_gives_no_more_than_it_may_still_run(stage: Stage) -> None:
    stage.context = dataclasses.replace(stage.context, queues={QUEUE: 4})
    stage.slots.running = [QUEUE] * 3
    await stage.run()

    assert stage.scripts.limits == [[(QUEUE, 1)]]


async def test_at_every_eighth_claim_the_other_queues_come_first(stage: Stage) -> None:
    stage.context = dataclasses.replace(stage.context, queues={"urgent": 4, "bulk": 2})
    stage.steps.extend([go_on] * 8)
    await stage.run()

    usual = [("urgent", 4), ("bulk", 2)]
    assert stage.scripts.limits == [*[usual] * 7, [("bulk", 1), ("urgent", 4)], usual]


async def test_a_claim_asks_for_as_much_as_the_link_carries(stage: Stage) -> None:
    megabyte = 1024 * 1024
    full = Claim(NOW_MS, -1, [claimed(b"a", payload=bytes(megabyte))])
    # The third answer is lost; the fifth is small and says nothing about the link.
    stage.scripts.claims.extend([full, full, TimeoutError(), full, found("b")])
    stage.scripts.recoveries.append(1)
    stage.slots = HeldSlots()
    stage.options["max_jobs"] = 100
    stage.steps.extend([go_on] * 4)
    await stage.run()

    assert stage.scripts.answers[:6] == [megabyte * size for size in (1, 2, 4, 2, 4, 4)]


async def test_a_claim_that_never_reached_redis_says_nothing_about_the_link(stage: Stage) -> None:
    stage.scripts.claims.append(RedisConnectionError("gone"))
    stage.steps.append(go_on)
    await stage.run()

    assert len(set(stage.scripts.answers)) == 1


async def test_a_claim_whose_answer_was_lost_is_recovered_before_the_next_claim(
    stage: Stage, health: NotedHealth
) -> None:
    lost = RedisConnectionError("cut")
    stage.scripts.claims.extend([lost, found("a")])
    stage.scripts.recoveries.append(3)
    await stage.run()

    assert stage.scripts.calls == [("claim", token(1)), ("recover", token(1)), ("claim", token(2))]
    assert stage.scripts.recovered_queues == [[QUEUE]]
    assert health.failures == [lost]
    assert stage.events.of(ClaimRecovered) == [ClaimRecovered(3)]
    assert stage.slots.started == [([b"a"], token(2))]
    # A Redis that refuses writes answers a recovery too; only a claim shows that it is well.
    assert health.answers == 1


async def test_a_job_that_does_not_arrive_although_it_is_claimed_alone_leaves_the_link_to_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claimer_module, "_FIRST_ANSWER", claimer_module._LEAST_ANSWER * 2)
    # Halved once; then alone, twice; then together with another; then cut off, which says nothing about its size.
    errors = [*[TimeoutError()] * 4, RedisConnectionError("cut")]
    stage.scripts.claims.extend(errors)
    stage.scripts.recoveries.extend([1, 1, 1, 2, 1])
    await stage.run()

    timeout_s = call_timeout_s(stage.context.redis)
    first, second = 10 * timeout_s, 10 * timeout_s
    assert stage.scripts.deferred_ms == [0, first * 1000, second * 1000, 2 * second * 1000, 0]
    deferred = [JobTooLargeForLink("job-2", first), JobTooLargeForLink("job-3", second)]
    assert stage.events.of(JobTooLargeForLink) == deferred


async def test_a_lost_claim_that_leased_nothing_is_not_reported(stage: Stage) -> None:
    stage.scripts.claims.append(TimeoutError())
    await stage.run()

    assert ("recover", token(1)) in stage.scripts.calls
    assert stage.events.of(ClaimRecovered) == []


async def test_a_lost_claim_is_recovered_however_long_redis_is_away(stage: Stage, health: NotedHealth) -> None:
    errors = [RedisConnectionError("cut"), ReadOnlyError("READONLY"), OSError("gone")]
    stage.scripts.claims.append(errors[0])
    stage.scripts.recoveries.extend([*errors[1:], 2])
    await stage.run()

    assert stage.scripts.calls == [("claim", token(1)), *[("recover", token(1))] * 3, ("claim", token(2))]
    assert health.failures == errors
    assert stage.events.of(ClaimFailed) == [ClaimFailed("ConnectionError", "")]
    assert stage.events.of(ClaimRecovered) == [ClaimRecovered(2)]


@pytest.mark.parametrize("recovered", [1, RedisConnectionError("gone")], ids=["answered", "lost too"])
async def test_a_worker_that_stops_tries_once_to_recover_a_lost_claim(
    stage: Stage, health: NotedHealth, recovered: int | Exception
) -> None:
    stage.scripts.before_answer = stage.context.stopping.set
    stage.scripts.claims.append(RedisConnectionError("cut"))
    stage.scripts.recoveries.append(recovered)
    await stage.run()

    assert stage.scripts.calls == [("claim", token(1)), ("recover", token(1))]
    assert stage.events.of(ClaimRecovered) == ([ClaimRecovered(1)] if recovered == 1 else [])
    # It does not wait for Redis either.
    assert health.failures == []


async def test_a_claim_that_fails_of_a_defect_ends_the_loop(stage: Stage) -> None:
    stage.scripts.claims.append(ValueError("a defect"))

    with pytest.raises(ValueError, match="a defect"):
        await stage.run()


async def test_a_burst_ends_when_all_its_queues_are_empty(
    stage: Stage, redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {QUEUE: 1, "bulk": 1}

    async def zcard(queue: str) -> int:
        return sizes[queue]

    monkeypatch.setattr(redis, "zcard", zcard)
    stage.burst()
    stage.context = dataclasses.replace(stage.context, queues={QUEUE: 10, "bulk": 10})
    stage.scripts.claims.extend([found("a"), found(next_in_ms=700)])
    stage.steps.extend([lambda: sizes.update({QUEUE: 0}), lambda: sizes.update({"bulk": 0}), go_on])
    await stage.run()

    # A deferred job of the second queue is waited for.
    assert stage.pauses == [POLL_DELAY_S, 0.7]
    assert len(stage.scripts.calls) == 3
    assert not stage.context.stopping.is_set()


async def test_a_burst_with_empty_queues_ends_after_its_first_claim(stage: Stage) -> None:
    stage.burst()
    await stage.run()

    assert (len(stage.scripts.calls), stage.pauses) == (1, [])


async def test_a_worker_that_serves_does_not_end_when_its_queues_are_empty(stage: Stage) -> None:
    stage.steps.extend([go_on] * 3)
    await stage.run()

    assert len(stage.scripts.calls) == 4


async def test_a_burst_does_not_end_because_redis_is_away(
    stage: Stage, health: NotedHealth, redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.burst()
    errors: deque[Exception] = deque([RedisConnectionError("cut"), TimeoutError()])
    lost = list(errors)

    async def zcard(queue: str) -> int:
        if errors:
            raise errors.popleft()
        return 0

    monkeypatch.setattr(redis, "zcard", zcard)
    stage.steps.extend([go_on] * 5)
    await stage.run()

    assert health.failures == lost
    assert len(stage.scripts.calls) == 3


async def test_a_limited_burst_claims_no_more_than_its_limit(stage: Stage, redis: ArqRedis) -> None:
    stage.burst(limit=5)
    stage.started_before = 2
    await redis.zadd(QUEUE, {"more": 1})
    stage.scripts.claims.extend([found("a"), found("b", "c")])
    stage.steps.extend([go_on] * 5)
    await stage.run()

    assert stage.scripts.wanted == [3, 2]
    assert not stage.context.stopping.is_set()


@pytest.mark.parametrize("started", [0, 1])
async def test_a_burst_whose_limit_is_reached_claims_nothing(stage: Stage, started: int) -> None:
    stage.burst(limit=started)
    stage.started_before = started
    await stage.run()

    assert (stage.scripts.calls, stage.pauses) == ([], [])


async def test_a_limit_of_bursts_does_not_concern_a_worker_that_serves(stage: Stage) -> None:
    stage.options["max_burst_jobs"] = 0
    await stage.run()

    assert stage.scripts.wanted == [10]


class Announcements:
    """A connection on which the test announces jobs; it notes who waits for them."""

    def __init__(self, socket_timeout: float | None = 5) -> None:
        self.connection_pool = SimpleNamespace(connection_kwargs={"socket_timeout": socket_timeout})
        self.waits: list[tuple[list[str], float]] = []
        self.answers: asyncio.Queue[Any] = asyncio.Queue()

    async def blpop(self, names: list[str], timeout: float) -> Any:
        self.waits.append((names, timeout))
        answer = await self.answers.get()
        if isinstance(answer, Exception):
            raise answer
        return answer


class Listening:
    """A claimer that really pauses, and its listener."""

    def __init__(self, context: EngineContext, announcements: Announcements, poll_delay_s: float) -> None:
        connection: Any = announcements
        self.scripts = ScriptedScripts(context.redis)
        self.slots = HeldSlots()
        self.context = dataclasses.replace(
            context, scripts=self.scripts, redis=connection, queues={QUEUE: 10, "bulk": 10}
        )
        options = job_options(max_jobs=2, poll_delay_s=poll_delay_s)
        self.claimer = Claimer(options, self.context, self.slots, may_claim=lambda: True, started=lambda: 0)
        self.tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self.tasks = [asyncio.create_task(self.claimer.listen()), asyncio.create_task(self.claimer.run())]

    async def stop(self) -> None:
        for task in self.tasks:
            assert not task.done(), "a loop ended by itself"
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def claims(self, number: int) -> None:
        await until(lambda: len(self.scripts.calls) == number)


async def test_an_announced_job_wakes_an_idle_worker(context: EngineContext) -> None:
    announcements = Announcements()
    listening = Listening(context, announcements, poll_delay_s=1_000)
    listening.start()
    await until(lambda: announcements.waits)
    assert len(listening.scripts.calls) == 1
    announcements.answers.put_nowait((b"queue:wakeup", b"1"))
    await listening.claims(2)
    # It still has free slots, so it waits for the next one.
    await until(lambda: len(announcements.waits) == 2)
    await listening.stop()

    assert announcements.waits[0] == (["queue:wakeup", "bulk:wakeup"], 1.0)


async def test_a_wait_that_brought_nothing_wakes_nobody(context: EngineContext) -> None:
    announcements = Announcements()
    listening = Listening(context, announcements, poll_delay_s=1_000)
    listening.start()
    for number in range(1, 4):
        await until(lambda: len(announcements.waits) == number)  # noqa: B023 (awaited within the round)
        announcements.answers.put_nowait(None)
    await until(lambda: len(announcements.waits) == 4)
    await listening.stop()

    assert len(listening.scripts.calls) == 1


async def test_a_worker_without_free_slots_takes_no_announcement(context: EngineContext) -> None:
    announcements = Announcements()
    listening = Listening(context, announcements, poll_delay_s=1_000)
    listening.scripts.claims.append(found("a", "b"))
    listening.start()
    await until(lambda: listening.slots.started)
    for _ in range(20):
        await asyncio.sleep(0)
    assert announcements.waits == []

    # A job ends, and a slot is free again.
    listening.slots.running.pop()
    listening.context.wake.set()
    await until(lambda: announcements.waits)
    await listening.stop()


async def test_a_woken_worker_that_fills_its_slots_leaves_the_next_announcement_to_others(
    context: EngineContext,
) -> None:
    announcements = Announcements()
    listening = Listening(context, announcements, poll_delay_s=1_000)
    listening.start()
    await until(lambda: announcements.waits)
    listening.scripts.claims.append(found("a", "b"))
    announcements.answers.put_nowait((b"queue:wakeup", b"1"))
    await until(lambda: listening.slots.running)
    for _ in range(20):
        await asyncio.sleep(0)
    await listening.stop()

    assert len(announcements.waits) == 1


async def test_a_wake_up_is_used_once(context: EngineContext) -> None:
    announcements = Announcements()
    listening = Listening(context, announcements, poll_delay_s=1_000)
    listening.start()
    await listening.claims(1)
    listening.context.wake.set()
    await listening.claims(2)
    for _ in range(20):
        await asyncio.sleep(0)
    await listening.stop()

    assert len(listening.scripts.calls) == 2
    assert not listening.context.wake.is_set()


async def test_the_listener_outlives_a_redis_that_is_away(context: EngineContext, health: NotedHealth) -> None:
    announcements = Announcements()
    listening = Listening(context, announcements, poll_delay_s=1_000)
    listening.start()
    lost = [RedisConnectionError("cut"), TimeoutError(), OSError("gone")]
    for error in lost:
        announcements.answers.put_nowait(error)
    announcements.answers.put_nowait((b"queue:wakeup", b"1"))
    await listening.claims(2)
    await listening.stop()

    assert health.failures == lost


@pytest.mark.parametrize(
    ("poll_delay_s", "socket_timeout_s", "wait_s"),
    [(1_000, 5, 1.0), (1_000, 0.6, 0.3), (0.4, 5, 0.4), (0.001, 5, 0.05), (1_000, None, 1.0)],
)
async def test_a_wait_for_announcements_stays_well_below_the_sockets_timeout(
    context: EngineContext, poll_delay_s: float, socket_timeout_s: float | None, wait_s: float
) -> None:
    announcements = Announcements(socket_timeout_s)
    listening = Listening(context, announcements, poll_delay_s)
    listening.start()
    await until(lambda: announcements.waits)
    await listening.stop()

    assert announcements.waits[0][1] == pytest.approx(wait_s)
