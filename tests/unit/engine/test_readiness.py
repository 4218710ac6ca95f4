import dataclasses
from typing import Any

import pytest
from arq.connections import ArqRedis

from tests.unit.engine.conftest import QUEUE, Clock, KeptEvents, NotedLimit, claimed, job_options
from worker.engine.blocked_slots import BlockedSlots
from worker.engine.completer import Completer
from worker.engine.context import EngineContext
from worker.engine.events import Claimed, ClaimFailed, ReadinessChanged
from worker.engine.readiness import ClaimFlow, Readiness, SlotProgress
from worker.engine.redis_health import RedisHealth
from worker.engine.running_job import RunningJob
from worker.engine.slots import Slots
from worker.queue import keys

SUCCESS = Claimed(0, 10, 0.0)
NOT_CLAIMED = "no jobs are claimed although slots are free"
STUCK = "all slots are held by jobs that do not end"


# What happens to a worker that polls every 2 s: claims, seconds that pass, and heartbeats, with what each says. A
# heartbeat is `True` if a claim is due.
CLAIMS: dict[str, list[object]] = {
    "it has just begun": [True, ""],
    "it has begun long ago": [7.1, True, NOT_CLAIMED],
    "it claims as often as it polls": [SUCCESS, 2, SUCCESS, 2, SUCCESS, 2, SUCCESS, 2, True, ""],
    "the last claim is as long ago as it may be": [SUCCESS, 7.0, True, ""],
    "the last claim is too long ago": [SUCCESS, 7.1, True, NOT_CLAIMED],
    "it claims again": [SUCCESS, 8, True, NOT_CLAIMED, SUCCESS, True, ""],
    "a claim fails": [SUCCESS, ClaimFailed("ResponseError", "NOPERM"), True, "claims fail (NOPERM)"],
    "Redis does not answer": [ClaimFailed("TimeoutError", ""), True, "claims fail (TimeoutError)"],
    "a claim fails while no other is due": [ClaimFailed("TimeoutError", ""), False, "claims fail (TimeoutError)"],
    "a claim succeeds after one that failed": [ClaimFailed("TimeoutError", ""), SUCCESS, True, ""],
    "no claim was due": [SUCCESS, 60, False, ""],
    "a slot was freed a moment ago": [SUCCESS, 60, False, "", 1, True, ""],
    "a slot was freed long ago": [SUCCESS, 60, False, "", 7.1, True, NOT_CLAIMED],
}


@pytest.mark.parametrize("steps", CLAIMS.values(), ids=CLAIMS)
def test_a_worker_is_ready_if_it_claims(steps: list[object], clock: Clock) -> None:
    flow = ClaimFlow(2.0, clock)
    said = ""
    for step in steps:
        match step:
            case bool(due):
                said = flow.why_not(due=due)
            case int(seconds) | float(seconds):
                clock.now += seconds
            case Claimed():
                flow.claimed(step)
            case ClaimFailed():
                flow.failed(step)
            case _:
                assert said == step


def jobs(*names: str, queue: str = QUEUE) -> list[RunningJob]:
    return [RunningJob(claimed(name.encode(), queue), "token") for name in names]


ONE, TWO, THREE = jobs("1", "2", "3")
BULK_ONE, BULK_TWO = jobs("4", "5", queue="bulk")
STUCK_BULK = "all slots of bulk are held by jobs that do not end"

# What a worker of three slots, one of them for bulk, says of the jobs that it holds after some seconds. Ten are
# allowed.
PROGRESS: dict[str, list[tuple[float, list[RunningJob], str]]] = {
    "no job": [(100, [], "")],
    "slots are free": [(0, [ONE, TWO], ""), (100, [ONE, TWO], "")],
    "full for as long as allowed": [(0, [ONE, TWO, THREE], ""), (10, [ONE, TWO, THREE], "")],
    "full for too long": [(0, [ONE, TWO, THREE], ""), (10.1, [ONE, TWO, THREE], STUCK)],
    "one ended, another started": [
        (0, [ONE, TWO, THREE], ""),
        (9, [TWO, THREE, *jobs("new")], ""),
        (9, [TWO, THREE, *jobs("newer")], ""),
    ],
    "one ended and was delivered again": [(0, [ONE, TWO, THREE], ""), (11, [TWO, THREE, *jobs("1")], "")],
    "free in between": [(0, [ONE, TWO, THREE], ""), (9, [ONE, TWO], ""), (9, [ONE, TWO, THREE], "")],
    "it goes on": [(0, [ONE, TWO, THREE], ""), (11, [ONE, TWO, THREE], STUCK), (1, [ONE, TWO], "")],
    "one queue is full": [(0, [ONE, BULK_ONE], ""), (11, [TWO, BULK_ONE], STUCK_BULK)],
    "one queue makes progress": [(0, [BULK_ONE], ""), (9, [BULK_TWO], ""), (9, [BULK_TWO], "")],
    "all slots, those of one queue too": [(0, [ONE, TWO, BULK_ONE], ""), (11, [ONE, TWO, BULK_ONE], STUCK)],
}


@pytest.mark.parametrize("steps", PROGRESS.values(), ids=PROGRESS)
def test_full_slots_must_make_progress(steps: list[tuple[float, list[RunningJob], str]], clock: Clock) -> None:
    progress = SlotProgress({QUEUE: 3, "bulk": 1}, 3, patience_s=10, clock=clock)
    for seconds, running, said in steps:
        clock.now += seconds
        assert progress.why_not(running) == said


class HeldSlots(Slots):
    """Slots that hold what the test says."""

    def __init__(self) -> None:
        self.held: list[RunningJob] = []
        self.problem = ""

    def __len__(self) -> int:
        return len(self.held)

    def jobs(self) -> list[RunningJob]:
        return self.held

    @property
    def renewal_problem(self) -> str:
        return self.problem


class StuckCompleter(Completer):
    """A completer whose oldest group waits for as long as the test says."""

    waited_s = 0.0

    @property
    def oldest_wait_s(self) -> float:
        return self.waited_s


class Stage:
    """The readiness of a worker with one slot, between doubles."""

    def __init__(self, context: EngineContext, events: KeptEvents) -> None:
        self.completer = StuckCompleter(
            context.scripts, context.redis_health, events, NotedLimit(context.redis), timeout_s=5
        )
        self.health = RedisHealth(events)
        self.context = dataclasses.replace(context, completer=self.completer, redis_health=self.health)
        self.claims = ClaimFlow(0.5)
        self.slots = HeldSlots()
        self.blocked = BlockedSlots(self.context, self.slots, None)
        options = job_options(max_jobs=1)
        self.readiness = Readiness(self.context, self.slots, self.blocked, options, self.claims)
        self._events = events

    @property
    def reports(self) -> list[str]:
        return [event.why_not for event in self._events.of(ReadinessChanged)]


@pytest.fixture
async def stage(context: EngineContext, events: KeptEvents) -> Stage:
    return Stage(context, events)


async def test_a_worker_that_has_just_started_is_ready(stage: Stage) -> None:
    await stage.readiness.look()
    assert stage.readiness.why_not() == ""
    assert stage.reports == []


async def test_completions_that_wait_too_long_are_a_reason(stage: Stage) -> None:
    stage.completer.waited_s = 4.9
    assert stage.readiness.why_not() == ""
    stage.completer.waited_s = 5.1
    assert stage.readiness.why_not() == "completions have waited for more than 5 s to be stored"


async def test_leases_that_are_not_renewed_are_a_reason(stage: Stage) -> None:
    stage.slots.problem = "leases are not renewed (NOPERM)"
    assert stage.readiness.why_not() == "leases are not renewed (NOPERM)"
    stage.slots.problem = ""
    assert stage.readiness.why_not() == ""


async def test_what_the_worker_does_on_purpose_comes_first_and_is_not_reported_again(stage: Stage) -> None:
    stage.context.stopping.set()
    assert stage.readiness.why_not() == "stopping"
    stage.claims.failed(ClaimFailed("ResponseError", "NOPERM"))
    assert stage.readiness.why_not() == "stopping"
    assert stage.reports == ["claims fail (NOPERM)"]


async def test_a_reason_is_reported_once_until_it_changes(stage: Stage) -> None:
    for _ in range(3):
        stage.claims.failed(ClaimFailed("ResponseError", "NOPERM"))
        stage.readiness.why_not()
    for _ in range(3):
        stage.claims.claimed(SUCCESS)
        stage.readiness.why_not()
    assert stage.reports == ["claims fail (NOPERM)", ""]


async def test_what_follows_from_an_unavailable_redis_is_not_reported_again(stage: Stage) -> None:
    await stage.health.failed(OSError())
    stage.claims.failed(ClaimFailed("OSError", ""))
    assert stage.readiness.why_not() == "claims fail (OSError)"
    assert stage.reports == []


async def test_a_reason_that_was_reported_is_not_withdrawn_because_redis_is_unavailable(stage: Stage) -> None:
    stage.completer.waited_s = 6
    stage.readiness.why_not()
    await stage.health.failed(OSError())
    stage.readiness.why_not()
    assert len(stage.reports) == 1


@pytest.mark.parametrize(
    ("key", "kind"), [(keys.ABORT, "zset"), (keys.WORKERS, "hash"), (QUEUE, "zset"), (QUEUE + ":wakeup", "list")]
)
async def test_a_key_of_another_type_is_the_reason_until_it_is_removed(
    stage: Stage, redis: ArqRedis, key: str, kind: str
) -> None:
    await redis.set(key, "foreign")
    stage.claims.failed(ClaimFailed("ResponseError", "WRONGTYPE"))
    await stage.readiness.look()
    assert stage.readiness.why_not() == f"the key {key} in Redis holds string, not {kind}"
    await redis.delete(key)
    await stage.readiness.look()
    stage.claims.claimed(SUCCESS)
    assert stage.readiness.why_not() == ""


async def test_jobs_may_take_as_long_as_their_timeouts_allow(
    context: EngineContext, events: KeptEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []

    class NotedProgress(SlotProgress):
        def __init__(self, slots: Any, max_jobs: int, patience_s: float, **options: Any) -> None:
            given.append(patience_s)
            super().__init__(slots, max_jobs, patience_s, **options)

    monkeypatch.setattr("worker.engine.readiness.SlotProgress", NotedProgress)
    Stage(context, events)
    # The timeout of 300 s, and 5 s for the job's last steps.
    assert given == [305]


async def test_full_slots_excuse_a_worker_from_claiming(stage: Stage, clock: Clock) -> None:
    stage.claims._clock = clock
    stage.claims.begin()
    stage.slots.held = jobs("1")
    clock.now += 60
    assert stage.readiness.why_not() == ""
    stage.slots.held = []
    assert stage.readiness.why_not() == ""
    clock.now += 6
    assert stage.readiness.why_not() == NOT_CLAIMED


async def test_what_is_blocked_comes_first(stage: Stage) -> None:
    stage.context.stopping.set()
    assert stage.readiness.why_not() == "stopping"
    stage.blocked.why_not_ready = "blocked"
    # Said also while the worker stops for that reason.
    assert stage.readiness.why_not() == "blocked"
