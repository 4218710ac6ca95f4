import asyncio
import dataclasses
from collections import defaultdict
from collections.abc import Callable
from typing import Any, cast

import pytest

from tests.support.waiting import until
from tests.unit.engine.conftest import OUTAGE, QUEUE, KeptEvents, claimed, finished, stop_all
from worker.engine import slots as slots_module
from worker.engine.circuit_breaker import CircuitBreaker
from worker.engine.completer import Completer
from worker.engine.context import EngineContext
from worker.engine.current_job import CurrentJob, current_job
from worker.engine.decision import CRASH_LIMIT, Decision
from worker.engine.events import BreakerChanged, Events, JobOutcome, TryEnded
from worker.engine.executor import Executor
from worker.engine.lease_renewer import Lease
from worker.engine.options import JobContext
from worker.engine.running_job import Interruption, RunningJob
from worker.engine.slots import Slots
from worker.queue.claim import ClaimedJob
from worker.queue.completion import Completion

SUSPECT = CRASH_LIMIT - 1
TOKEN = "token"


class NotedLeases:
    """In place of the renewer and its thread: what is held, and the calls in their order."""

    def __init__(
        self,
        connect: object,
        lease_s: float,
        on_lost: Callable[[list[Lease]], None],
        events: Events,
        take_if_stuck: Callable[[float, int], bool],
    ) -> None:
        self.arguments = (connect, lease_s, events)
        self.lose = on_lost
        self.held: dict[bytes, Lease] = {}
        self.releases: list[tuple[bytes, str]] = []
        self.failed = asyncio.get_running_loop().create_future()
        self.closed = False

    def hold(self, lease: Lease) -> None:
        self.held[lease.job_id] = lease

    def release(self, job_id: bytes, token: str) -> None:
        self.releases.append((job_id, token))
        if job_id in self.held and self.held[job_id].token == token:
            del self.held[job_id]

    async def close(self) -> None:
        self.closed = True


class GatedExecutor(Executor):
    """Lets each job run until its gate is opened or it is interrupted, and decides as the test says."""

    def __init__(self) -> None:
        self.gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.running: list[str] = []
        self.outcomes: dict[str, JobOutcome] = {}
        self.outages: set[str] = set()
        self.interruptions: list[tuple[str, str]] = []
        self.hooks: list[str] = []
        self.held: set[str] = set()
        self.entered: dict[str, CurrentJob | None] = {}
        self.hook_gate = asyncio.Event()
        self.hook_gate.set()

    async def run(self, job: RunningJob) -> tuple[Decision, JobContext | None]:
        outcome = self.outcomes.get(job.name, "complete")
        try:
            job.begin()
            self.running.append(job.name)
            self.entered[job.name] = await asyncio.create_task(_current_job())
            await self.gates[job.name].wait()
        except asyncio.CancelledError:
            assert job.interrupted_by is not None
            self.interruptions.append((f"{job.name} {job.token}", job.interrupted_by))
            outcome = "lease_lost" if job.interrupted_by == "lost" else "handed_back"
        job.end()
        completion = None if outcome == "lease_lost" else Completion.hand_back(job.claimed, job.token)
        # "ingest-2" is a job of the function "ingest".
        event = finished(outcome, job.name, function=job.name.partition("-")[0])
        decision = Decision(completion, event, OUTAGE if job.name in self.outages else None)
        return decision, {"job_id": job.name}

    def is_held(self, job: RunningJob) -> bool:
        return job.name in self.held

    def let_go(self, job: RunningJob) -> Decision:
        job.let_go = True
        job.end()
        outcome: JobOutcome = "lease_lost" if job.interrupted_by == "lost" else "handed_back"
        completion = None if outcome == "lease_lost" else Completion.hand_back(job.claimed, job.token)
        return Decision(completion, finished(outcome, job.name))

    async def run_after_job_end(self, context: JobContext | None, function: str = "") -> None:
        assert context is not None
        self.hooks.append(context["job_id"])
        await self.hook_gate.wait()

    def let_through(self, *names: str) -> None:
        for name in names:
            self.gates[name].set()


async def _current_job() -> CurrentJob | None:
    return current_job()


class HeldCompletions(Completer):
    """Completions that are stored when the test says; applied at once while `answer` is not `None`."""

    def __init__(self, answer: bool | None = True) -> None:
        self.answer = answer
        self.submitted: list[Completion] = []
        self.waiting: dict[bytes, asyncio.Future[bool]] = {}

    def submit(self, completion: Completion) -> "asyncio.Future[bool]":
        self.submitted.append(completion)
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if self.answer is None:
            self.waiting[completion.job_id] = stored
        else:
            stored.set_result(self.answer)
        return stored


class Stage:
    """Slots between doubles of all that they use."""

    def __init__(self, context: EngineContext, events: KeptEvents) -> None:
        self.executor = GatedExecutor()
        self.completions = HeldCompletions()
        self.context = dataclasses.replace(
            context, completer=self.completions, breaker=CircuitBreaker(events, lambda: 0.0, lambda: 1.0)
        )
        self.events = events
        self.slots = Slots(self.context, self.executor, _no_connection)
        leases: Any = self.slots._leases
        self.leases: NotedLeases = leases

    async def start(self, *jobs: ClaimedJob, token: str = TOKEN) -> None:
        await self.slots.start(jobs, token)

    async def runs(self, *names: str) -> None:
        """Start jobs and wait until they run."""
        await self.start(*(claimed(name.encode()) for name in names))
        await until(lambda: set(names) <= set(self.executor.running))

    async def empty(self) -> None:
        await until(lambda: not len(self.slots))

    @property
    def outcomes(self) -> list[tuple[str, JobOutcome]]:
        return [(event.job_id, event.outcome) for event in self.events.of(TryEnded)]


def _no_connection() -> Any:
    raise AssertionError("nothing renews leases here")


@pytest.fixture
async def stage(context: EngineContext, events: KeptEvents, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(slots_module, "LeaseRenewer", NotedLeases)
    return Stage(context, events)


def suspects(*names: bytes) -> list[ClaimedJob]:
    return [claimed(name, crashes=SUSPECT) for name in names]


async def test_a_claimed_job_runs_under_a_held_lease(stage: Stage) -> None:
    await stage.start(claimed(b"a"), claimed(b"b", "bulk"))
    await until(lambda: stage.executor.running == ["a", "b"])

    assert stage.leases.held == {b"a": Lease(b"a", QUEUE, TOKEN), b"b": Lease(b"b", "bulk", TOKEN)}
    assert stage.leases.arguments == (_no_connection, stage.context.lease_s, stage.events)
    assert len(stage.slots) == 2
    assert list(stage.slots.tasks) == ["a", "b"]
    assert stage.slots.queues() == [QUEUE, "bulk"]
    job = stage.slots.get(b"b")
    assert job is not None
    assert (job.name, job.token, job.task) == ("b", TOKEN, stage.slots.tasks["b"])
    assert stage.slots.get(b"c") is None


async def test_a_stored_job_leaves_its_slot_and_its_lease(stage: Stage) -> None:
    await stage.runs("a", "b")
    stage.executor.let_through("a")
    await until(lambda: len(stage.slots) == 1)

    assert list(stage.slots.tasks) == ["b"]
    assert stage.slots.get(b"a") is None
    assert list(stage.leases.held) == [b"b"]
    assert stage.outcomes == [("a", "complete")]
    assert stage.executor.hooks == ["a"]
    # A free slot may be filled.
    assert stage.context.wake.is_set()


async def test_a_job_keeps_its_slot_and_its_lease_until_its_completion_is_stored(stage: Stage) -> None:
    stage.completions.answer = None
    await stage.runs("a")
    stage.executor.let_through("a")
    await until(lambda: stage.completions.waiting)

    assert (len(stage.slots), list(stage.slots.tasks), list(stage.leases.held)) == (1, ["a"], [b"a"])
    assert stage.outcomes == []
    assert stage.executor.hooks == []
    assert not stage.context.wake.is_set()
    stage.completions.waiting[b"a"].set_result(True)
    await stage.empty()
    assert stage.outcomes == [("a", "complete")]


async def test_after_job_end_runs_in_the_slot_and_no_lease_is_held_for_it(stage: Stage) -> None:
    stage.executor.hook_gate.clear()
    await stage.runs("a")
    stage.executor.let_through("a")
    await until(lambda: stage.executor.hooks)

    assert (len(stage.slots), stage.leases.held, stage.outcomes) == (1, {}, [])
    stage.executor.hook_gate.set()
    await stage.empty()
    assert stage.outcomes == [("a", "complete")]


async def test_a_refused_completion_is_reported_as_a_lost_lease(stage: Stage) -> None:
    stage.completions.answer = False
    await stage.runs("a")
    stage.executor.let_through("a")
    await stage.empty()

    assert stage.outcomes == [("a", "lease_lost")]
    assert stage.executor.hooks == []
    assert stage.leases.held == {}


async def test_a_decision_without_a_completion_stores_nothing(stage: Stage) -> None:
    stage.executor.outcomes["a"] = "lease_lost"
    await stage.runs("a")
    stage.executor.let_through("a")
    await stage.empty()

    assert stage.completions.submitted == []
    assert stage.outcomes == [("a", "lease_lost")]
    assert stage.executor.hooks == []
    assert stage.leases.held == {}


async def test_a_job_never_counts_both_as_running_and_as_ended_nor_as_neither(stage: Stage) -> None:
    counts: set[tuple[int, int, int]] = set()
    at_event: list[tuple[int, int]] = []

    def count() -> None:
        counts.add((len(stage.slots), len(stage.slots.tasks), len(stage.outcomes)))

    async def watch() -> None:
        while True:
            count()
            await asyncio.sleep(0)

    stage.events.subscribe(TryEnded, lambda event: at_event.append((len(stage.slots), len(stage.slots.tasks))))
    await stage.runs("a")
    watching = asyncio.create_task(watch())
    stage.executor.let_through("a")
    await until(lambda: stage.outcomes)
    count()
    watching.cancel()

    assert counts == {(1, 1, 0), (0, 0, 1)}
    assert at_event == [(0, 0)]


async def test_a_defect_in_the_engine_frees_the_slot_too(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(job: RunningJob) -> None:
        raise ValueError("a defect")

    monkeypatch.setattr(stage.executor, "run", broken)
    await stage.start(claimed(b"a"))
    task = stage.slots.tasks["a"]
    with pytest.raises(ValueError, match="a defect"):
        await task

    assert (len(stage.slots), stage.slots.tasks, stage.leases.held, stage.outcomes) == (0, {}, {}, [])
    assert stage.context.wake.is_set()


async def test_a_job_claimed_again_interrupts_its_earlier_run(stage: Stage) -> None:
    await stage.runs("a")
    earlier = stage.slots.get(b"a")
    await stage.start(claimed(b"a"), token="new")

    await until(lambda: stage.executor.interruptions)
    assert stage.executor.interruptions == [("a token", "lost")]
    assert stage.outcomes == [("a", "lease_lost")]
    # The end of the earlier run took nothing from the later one.
    later = stage.slots.get(b"a")
    assert later is not None
    assert later is not earlier
    assert (later.token, later.interrupted_by) == ("new", None)
    assert stage.slots.tasks == {"a": later.task}
    assert stage.leases.held == {b"a": Lease(b"a", QUEUE, "new")}
    assert (b"a", TOKEN) in stage.leases.releases
    stage.executor.let_through("a")
    await stage.empty()
    assert stage.outcomes == [("a", "lease_lost"), ("a", "complete")]
    assert (stage.slots.tasks, stage.leases.held) == ({}, {})


async def test_a_lost_lease_interrupts_only_the_job_of_its_token(stage: Stage) -> None:
    await stage.runs("a", "b", "c")
    # What the renewer's thread found out about a claim that has been replaced meanwhile, or has ended.
    stage.leases.lose([Lease(b"a", QUEUE, "old"), Lease(b"gone", QUEUE, TOKEN), Lease(b"b", QUEUE, TOKEN)])
    await until(lambda: len(stage.slots) == 2)

    assert stage.executor.interruptions == [("b token", "lost")]
    assert stage.outcomes == [("b", "lease_lost")]
    assert list(stage.slots.tasks) == ["a", "c"]


@pytest.mark.parametrize("reason", ["shutdown", "abort"])
async def test_every_job_is_interrupted_when_the_worker_stops(stage: Stage, reason: Any) -> None:
    await stage.runs("a", "b")
    stage.slots.interrupt_all(reason)
    await stage.empty()

    assert stage.executor.interruptions == [("a token", reason), ("b token", reason)]
    assert [completion.job_id for completion in stage.completions.submitted] == [b"a", b"b"]


@pytest.mark.parametrize("crashes", [0, 1, SUSPECT + 1])
async def test_a_job_that_is_not_a_suspect_runs_beside_the_others(stage: Stage, crashes: int) -> None:
    await stage.runs("other")
    await stage.start(claimed(b"a", crashes=crashes))
    await until(lambda: "a" in stage.executor.running)

    assert len(stage.slots) == 2


async def test_a_suspect_runs_once_the_other_jobs_have_ended(stage: Stage) -> None:
    await stage.runs("other")
    starting = asyncio.create_task(stage.start(*suspects(b"a"), claimed(b"beside")))
    await until(lambda: "beside" in stage.executor.running)
    stage.executor.let_through("other")
    await until(lambda: len(stage.slots) == 2)
    assert stage.executor.running == ["other", "beside"]
    stage.executor.let_through("beside")
    await until(lambda: "a" in stage.executor.running)

    # Nothing is claimed before this returns.
    assert len(stage.slots) == 1
    assert not starting.done()
    assert stage.leases.held == {b"a": Lease(b"a", QUEUE, TOKEN)}
    stage.executor.let_through("a")
    await asyncio.wait_for(starting, 10)
    assert stage.outcomes == [("other", "complete"), ("beside", "complete"), ("a", "complete")]


async def test_a_suspect_waits_for_the_other_jobs_no_longer_than_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots_module, "_SOLO_WAIT_S", 0.01)
    await stage.runs("other")
    starting = asyncio.create_task(stage.start(*suspects(b"a")))
    await until(lambda: "a" in stage.executor.running)

    assert len(stage.slots) == 2
    stage.executor.let_through("a")
    await asyncio.wait_for(starting, 10)
    assert stage.outcomes == [("a", "complete")]


async def test_a_suspect_that_the_breaker_keeps_waiting_holds_up_nobody(stage: Stage) -> None:
    await stage.start(claimed(b"beside"))
    await until(lambda: stage.executor.running == ["beside"])
    stage.executor.held.add("a")
    await asyncio.wait_for(stage.start(*suspects(b"a")), 1)
    await until(lambda: len(stage.executor.running) == 2)
    assert stage.executor.running == ["beside", "a"]
    stage.executor.let_through("a", "beside")


async def test_a_suspect_without_company_runs_at_once(stage: Stage) -> None:
    before = asyncio.all_tasks()
    stage.executor.let_through("a")
    await stage.start(*suspects(b"a"))

    assert stage.executor.running == ["a"]
    await until(lambda: asyncio.all_tasks() == before)


async def test_other_suspects_are_handed_back_before_the_first_one_runs(stage: Stage) -> None:
    stage.completions.answer = None
    starting = asyncio.create_task(stage.start(*suspects(b"a", b"b", b"c")))
    await until(lambda: len(stage.completions.waiting) == 2)

    assert stage.executor.interruptions == [("b token", "postponed"), ("c token", "postponed")]
    assert stage.executor.running == []
    stage.completions.waiting[b"b"].set_result(True)
    await until(lambda: len(stage.slots) == 2)
    # The lease of the last one would count a crash if the first one killed the worker now.
    assert stage.executor.running == []
    stage.completions.waiting[b"c"].set_result(True)
    await until(lambda: stage.executor.running == ["a"])

    assert stage.leases.held == {b"a": Lease(b"a", QUEUE, TOKEN)}
    assert stage.outcomes == [("b", "handed_back"), ("c", "handed_back")]
    starting.cancel()


async def test_postponed_suspects_are_waited_for_without_a_limit(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots_module, "_SOLO_WAIT_S", 0.0)
    stage.completions.answer = None
    starting = asyncio.create_task(stage.start(*suspects(b"a", b"b")))
    await until(lambda: stage.completions.waiting)
    for _ in range(50):
        await asyncio.sleep(0)
    assert stage.executor.running == []

    stage.completions.waiting[b"b"].set_result(True)
    await until(lambda: stage.executor.running == ["a"])
    starting.cancel()


@pytest.mark.parametrize("company", ["other job", "postponed suspect"])
async def test_a_worker_that_stops_waits_for_no_company_of_a_suspect(stage: Stage, company: str) -> None:
    before = asyncio.all_tasks()
    if company == "other job":
        await stage.runs("other")
        starting = asyncio.create_task(stage.start(*suspects(b"a")))
    else:
        stage.completions.answer = None
        starting = asyncio.create_task(stage.start(*suspects(b"a", b"other")))
    await until(lambda: len(stage.slots) == 2)
    stage.context.stopping.set()
    await asyncio.wait_for(starting, 10)

    assert "a" not in stage.executor.running
    # Nothing goes on waiting.
    await until(lambda: asyncio.all_tasks() == {*before, *stage.slots.tasks.values()})
    waiting = stage.slots.get(b"a")
    assert waiting is not None
    assert (waiting.task, list(stage.slots.tasks)) == (None, ["other"])


async def test_a_worker_that_stops_does_not_wait_for_a_suspect_that_runs(stage: Stage) -> None:
    starting = asyncio.create_task(stage.start(*suspects(b"a")))
    await until(lambda: stage.executor.running == ["a"])
    stage.context.stopping.set()
    await asyncio.wait_for(starting, 10)

    # It runs on, in the grace period.
    assert list(stage.slots.tasks) == ["a"]
    assert stage.executor.interruptions == []


async def test_a_suspect_that_waits_for_its_turn_is_handed_back_with_the_others(stage: Stage) -> None:
    await stage.runs("other")
    starting = asyncio.create_task(stage.start(*suspects(b"a")))
    await until(lambda: len(stage.slots) == 2)
    stage.context.stopping.set()
    await asyncio.wait_for(starting, 10)
    stage.slots.interrupt_all("shutdown")
    await stage.empty()

    assert sorted(stage.executor.interruptions) == [("a token", "shutdown"), ("other token", "shutdown")]
    assert {completion.job_id for completion in stage.completions.submitted} == {b"a", b"other"}
    assert stage.executor.running == ["other"]
    assert (stage.slots.tasks, stage.leases.held) == ({}, {})


async def test_outages_open_the_breaker_and_a_success_closes_it(stage: Stage) -> None:
    names = ["amend-1", "ingest-1", "amend-2", "ingest-2"]
    for number, name in enumerate(names, start=1):
        stage.executor.outages.add(name)
        stage.executor.outcomes[name] = "retried"
        stage.executor.let_through(name)
        await stage.start(claimed(name.encode()))
        await stage.empty()
        assert stage.context.breaker.is_open == (number >= 3)
    assert stage.events.of(BreakerChanged) == [BreakerChanged(True, OUTAGE.reason)]

    stage.executor.let_through("ingest-3", "ingest-4")
    await stage.runs("ingest-3", "ingest-4")
    await stage.empty()
    assert not stage.context.breaker.is_open
    assert stage.events.of(BreakerChanged) == [
        BreakerChanged(True, OUTAGE.reason),
        BreakerChanged(False, OUTAGE.reason),
    ]


async def test_a_success_between_outages_keeps_the_breaker_closed(stage: Stage) -> None:
    for name in ("amend-1", "ingest-1", "amend-2", "amend-3", "ingest-2"):
        if name != "amend-2":
            stage.executor.outages.add(name)
            stage.executor.outcomes[name] = "retried"
        stage.executor.let_through(name)
        await stage.start(claimed(name.encode()))
        await stage.empty()

    assert not stage.context.breaker.is_open
    assert stage.events.of(BreakerChanged) == []


@pytest.mark.parametrize(
    ("outcome", "allowed"),
    [
        ("dead", 1),
        ("aborted", 1),
        ("retried", 1),
        ("handed_back", 1),
        ("function_unknown", 1),
        ("lease_lost", 1),
        ("put_aside", 0),
    ],
)
async def test_a_job_that_ends_otherwise_lets_another_probe_at_once(
    stage: Stage, outcome: JobOutcome, allowed: int
) -> None:
    breaker = stage.context.breaker
    stop_all(breaker)
    stage.events.sent.clear()
    assert breaker.allowance(5) == 0
    stage.executor.outcomes["a"] = outcome
    stage.executor.let_through("a")
    await stage.start(claimed(b"a"))
    await stage.empty()

    assert breaker.is_open
    assert breaker.allowance(5) == allowed
    assert stage.events.of(BreakerChanged) == []


async def test_the_breaker_need_not_wait_for_the_storing_of_completions(stage: Stage) -> None:
    stage.completions.answer = None
    for name in ("a", "b", "c"):
        stage.executor.outages.add(name)
        stage.executor.let_through(name)
    await stage.runs("a", "b", "c")
    await until(lambda: len(stage.completions.waiting) == 3)

    assert stage.context.breaker.is_open


async def test_a_renewer_that_fails_is_seen_in_the_slots(stage: Stage) -> None:
    assert stage.slots.failed is stage.leases.failed


async def test_closing_stops_the_renewal_of_leases(stage: Stage) -> None:
    assert not stage.leases.closed
    await stage.slots.close()
    assert stage.leases.closed


async def test_a_job_whose_id_is_not_text_has_its_slot_too(stage: Stage) -> None:
    await stage.start(claimed(b"\xff"))
    assert list(stage.slots.tasks) == [r"\xff"]
    stage.executor.let_through(r"\xff")
    await stage.empty()

    assert stage.leases.releases[0] == (b"\xff", TOKEN)
    assert stage.slots.tasks == {}


class Stubborn(GatedExecutor):
    """Jobs that swallow every cancellation until their gate is open."""

    async def run(self, job: RunningJob) -> tuple[Decision, JobContext | None]:
        job.begin()
        self.running.append(job.name)
        while not self.gates[job.name].is_set():
            try:
                await self.gates[job.name].wait()
            except asyncio.CancelledError:
                continue
        job.end()
        return Decision(Completion.hand_back(job.claimed, job.token), finished("complete", job.name)), None


@pytest.fixture
async def stubborn(stage: Stage) -> Stage:
    stage.executor = Stubborn()
    stage.slots = Slots(stage.context, stage.executor, _no_connection)
    stage.leases = stage.slots._leases  # type: ignore[assignment]  # replaced by a double
    return stage


async def test_jobs_that_do_not_stop_are_let_go(stubborn: Stage) -> None:
    await stubborn.runs("a", "lost")
    running = dict(stubborn.slots.tasks)
    stubborn.leases.lose([Lease(b"lost", QUEUE, TOKEN)])
    stubborn.slots.interrupt_all("shutdown")

    assert await stubborn.slots.let_go(10) == []

    assert [completion.job_id for completion in stubborn.completions.submitted] == [b"a"]
    assert sorted(stubborn.outcomes) == [("a", "handed_back"), ("lost", "lease_lost")]
    assert (stubborn.leases.held, stubborn.slots.tasks) == ({}, {})
    # What they do afterwards changes nothing, and is not reported.
    stubborn.executor.let_through("a", "lost")
    await asyncio.wait(running.values(), timeout=10)
    assert all(task.done() for task in running.values())
    assert len(stubborn.completions.submitted) == 1
    assert len(stubborn.outcomes) == 2


async def test_jobs_that_cannot_be_let_go_in_time_stay_leased(stubborn: Stage) -> None:
    stubborn.completions.answer = None
    await stubborn.runs("a", "b")
    stubborn.slots.interrupt_all("shutdown")

    assert {job.name for job in await stubborn.slots.let_go(0.01)} == {"a", "b"}

    assert set(stubborn.leases.held) == {b"a", b"b"}
    assert stubborn.outcomes == []
    stubborn.executor.let_through("a", "b")
    await stubborn.empty()


async def test_a_job_that_has_ended_is_not_let_go(stage: Stage) -> None:
    stage.completions.answer = None
    await stage.runs("a")
    stage.executor.let_through("a")
    await until(lambda: stage.completions.submitted)

    assert [job.name for job in await stage.slots.let_go(0.01)] == ["a"]

    assert len(stage.completions.submitted) == 1


async def test_jobs_that_ignore_cancellation_for_so_long_are_found(stubborn: Stage) -> None:
    await stubborn.runs("a", "b", "c")
    for name, reason in (("a", "timeout"), ("b", "abort")):
        job = stubborn.slots.get(name.encode())
        assert job is not None
        job.interrupt(cast(Interruption, reason))

    await until(lambda: len(stubborn.slots.ignoring(0.001)) == 2)

    assert {job.name for job in stubborn.slots.ignoring(0.001)} == {"a", "b"}
    assert stubborn.slots.ignoring(60) == []
    stubborn.executor.let_through("a", "b", "c")
    await stubborn.empty()
    assert stubborn.slots.ignoring(0.001) == []


async def test_a_job_and_its_tasks_know_which_job_they_are_of(stage: Stage) -> None:
    await stage.runs("a", "b")
    await until(lambda: len(stage.executor.entered) == 2)

    for name in ("a", "b"):
        job = stage.slots.get(name.encode())
        assert job is not None
        assert stage.executor.entered[name] == CurrentJob(job.claimed.job_id, job.token)

    assert current_job() is None
    stage.executor.let_through("a", "b")
    await stage.empty()
