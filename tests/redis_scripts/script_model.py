"""A model of the queue: after any sequence of operations, each accepted job is in exactly one place."""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.redis_scripts.script_bench import ScriptBench
from tests.redis_scripts.script_digests import marked
from worker.errors import KeyUsedTwice
from worker.queue import keys
from worker.queue.claim import ClaimedJob
from worker.queue.scripts import Enqueue, EnqueueState, Unmarked

T = TypeVar("T")
NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
# Two acts, each enqueued twice, and two payloads of programs that write no digests.
ACTS = {marked(act, call): act for act in ("register", "withdraw") for call in ("first", "again")}
PAYLOADS = st.sampled_from([*ACTS, b"payload", b"other"])
Place = Literal["waiting", "deferred", "leased", "orphaned", "done", "dead"]


@dataclass
class Job:
    """The expected state of one accepted job."""

    place: Place
    tries: int = 0
    counted_for: set[str] = field(default_factory=set)
    """The owners whose leases ended and who were not heard of again."""
    lost_by: list[str] = field(default_factory=list)
    """The owners whose leases ended."""
    owner: ClaimedJob | None = None
    token: str = ""
    claim_answered: bool = False
    due_ms: float = 0
    abort_requested: bool = False
    payload: bytes = b""
    """The envelope that is stored; of an ended job, its result."""


class QueueMachine(RuleBasedStateMachine):
    """Runs random operations on the queue and on the model, and compares the two.

    Subclasses choose the Redis. Time passes by setting scores back, never by waiting.
    """

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._bench_context = self.open_bench()
        self.bench = self._run(self._bench_context.__aenter__())
        self.jobs: dict[str, Job] = {}
        self.former_owners: list[tuple[str, ClaimedJob, str]] = []
        self.acts: dict[str, str] = {}
        """What the ended job of a name did, as far as that is kept beside its outcome."""
        self.claims = 0
        self.dead_before = self._run(self.bench.dead_count())

    def open_bench(self) -> AbstractAsyncContextManager[ScriptBench]:
        raise NotImplementedError

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(call)

    def _in(self, *places: Place) -> list[str]:
        return sorted(name for name, job in self.jobs.items() if job.place in places)

    # ---- producers ------------------------------------------------------------------------------------

    @rule(name=NAMES, deferred=st.booleans(), payload=PAYLOADS)
    def enqueue(self, name: str, deferred: bool, payload: bytes) -> None:
        delay_ms = 3_600_000 if deferred else 0
        call = self.bench.enqueue(name, payload=payload, delay_ms=delay_ms)
        expected = self._expected_answer(name, payload, self._state(name, payload), self._act(name))
        if expected is None:
            with pytest.raises(KeyUsedTwice):
                self._run(call)
            return
        assert self._run(call) == [expected]
        if name not in self.jobs:
            self.jobs[name] = Job("deferred" if deferred else "waiting", payload=payload)
            self._enqueued(name)

    def _act(self, name: str) -> str | None:
        """Return what Redis knows that a name was used for."""
        job = self.jobs.get(name)
        return (ACTS.get(job.payload) if job else None) or self.acts.get(name)

    def _state(self, name: str, payload: bytes) -> EnqueueState:
        job = self.jobs.get(name)
        if job is None:
            return "new"
        if job.place == "done":
            return "done"
        if job.place == "dead":
            return "dead"
        if job.payload == payload:
            return "new"
        return "running" if job.place == "leased" else "queued"

    def _expected_answer(
        self, name: str, payload: bytes, state: EnqueueState, act: str | None
    ) -> EnqueueState | Unmarked | None:
        """Return the answer for a name that is found in this state and was used for `act`; None: it is refused."""
        if payload in ACTS and act not in (None, ACTS[payload]):
            return None
        job = self.jobs.get(name)
        if payload in ACTS and act is None and job is not None:
            return Unmarked(state, job.payload)
        return state

    def _enqueued(self, name: str) -> None:
        """Note in a subclass that a new job was enqueued."""

    @rule(name=NAMES)
    def request_abort(self, name: str) -> None:
        # Like arq's `Job.abort`, which requests an abort whether or not the job exists.
        self._run(self.bench.redis.zadd(keys.ABORT, {self.bench.id(name): 1}))
        if name in self.jobs:
            self.jobs[name].abort_requested = True

    @precondition(lambda self: self._in("dead"))
    @rule(data=st.data())
    def redrive(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self._in("dead")))
        job = Enqueue(self.bench.id(name), self.bench.queue, b"payload")
        assert self._run(self.bench.scripts.redrive([job, job])) == 1
        self.jobs[name] = Job("waiting", payload=b"payload")

    # ---- workers --------------------------------------------------------------------------------------

    @rule(wanted=st.integers(1, 4))
    def claim(self, wanted: int) -> None:
        self.claims += 1
        token = f"token{self.claims}"
        expected = self._claimable()
        claimed = self._run(self.bench.claim(token, wanted)).jobs
        names = [self._name(found) for found in claimed]
        assert len(set(names)) == len(names) == min(wanted, len(expected))
        assert set(names) <= set(expected)
        for name, found in zip(names, claimed, strict=True):
            job = self.jobs[name]
            if job.place == "orphaned":
                job.counted_for.add(job.token)
                job.lost_by.append(job.token)
            if job.owner is not None:
                self.former_owners.append((name, job.owner, job.token))
            job.place, job.owner, job.token, job.claim_answered = "leased", found, token, False
            assert (found.tries, found.crashes) == (job.tries + 1, len(job.counted_for))
            assert (found.abort_ms >= 0) == job.abort_requested

    def _claimable(self) -> list[str]:
        """Return the jobs that a worker may claim."""
        return self._in("waiting", "orphaned")

    @precondition(lambda self: self._in("leased"))
    @rule(data=st.data(), action=st.sampled_from(["done", "dead", "retry", "return"]), keep=st.booleans())
    def complete_a_try(self, data: st.DataObject, action: Any, keep: bool) -> None:
        self._complete(data.draw(st.sampled_from(self._in("leased"))), action, keep)

    @precondition(lambda self: self._in("orphaned"))
    @rule(data=st.data(), action=st.sampled_from(["done", "dead", "retry", "return"]))
    def complete_a_try_after_its_lease(self, data: st.DataObject, action: Any) -> None:
        self._complete(data.draw(st.sampled_from(self._in("orphaned"))), action, keep=False)

    def _complete(self, name: str, action: Any, keep: bool) -> None:
        job = self.jobs[name]
        assert job.owner is not None
        spend: Any = "keep" if keep else "spend"
        # A worker's result begins as the envelope does.
        values = {"result": job.payload, "result_life_ms": -1, "record": b"", "tries": spend}
        values["batch"] = self._batch_entry(name, action)
        due = {"retry": 3_600_000, "return": job.owner.score}.get(action, 0)
        assert self._run(self.bench.finish(job.owner, action, job.token, due=due, **values))
        self.former_owners.append((name, job.owner, job.token))
        job.owner = None
        match action:
            case "done" | "dead":
                self._ended(name, Job(action, payload=job.payload))
            case "retry":
                job.place = "deferred"
            case _:
                job.place = "waiting"
        job.tries += not keep

    def _ended(self, name: str, job: Job) -> None:
        self.jobs[name] = job
        if job.payload in ACTS:
            self.acts[name] = ACTS[job.payload]

    def _batch_entry(self, name: str, action: str) -> str:
        """Return what a completion says of its job's batch."""
        return ""

    @precondition(lambda self: self._in("leased", "orphaned"))
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self._in("leased", "orphaned")))
        job = self.jobs[name]
        assert job.owner is not None
        assert self._run(self.bench.renew(job.owner, token=job.token)) == []
        job.place, job.claim_answered = "leased", True

    def _unanswered(self) -> list[str]:
        # Only an owner that knows of its claim renews, and the end of a lease is simulated by another score.
        return [name for name in self._in("leased") if not self.jobs[name].claim_answered]

    @precondition(lambda self: self._unanswered())
    @rule(data=st.data())
    def recover_a_lost_claim(self, data: st.DataObject) -> None:
        token = self.jobs[data.draw(st.sampled_from(self._unanswered()))].token
        names = [name for name in self._unanswered() if self.jobs[name].token == token]
        assert self._run(self.bench.scripts.recover(token, self.bench.queues))[0] == len(names)
        for name in names:
            job = self.jobs[name]
            assert job.owner is not None
            self.former_owners.append((name, job.owner, token))
            job.place, job.owner = "waiting", None

    @precondition(lambda self: self.former_owners)
    @rule(data=st.data(), action=st.sampled_from(["done", "dead", "retry", "return"]))
    def a_former_owner_completes(self, data: st.DataObject, action: Any) -> None:
        name, claimed, token = data.draw(st.sampled_from(self.former_owners))
        job = self.jobs.get(name)
        counts = action == "done" and job is not None and len(job.lost_by) >= 3 and token in job.lost_by
        due = 0 if action == "done" else 1
        assert counts == self._run(
            self.bench.finish(claimed, action, token, due=due, result=b"late", result_life_ms=-1, record=b"late")
        )
        if job is not None and counts:
            if job.owner is not None:
                self.former_owners.append((name, job.owner, job.token))
            self._ended(name, Job("done", payload=b"late"))
        self._is_heard_of(name, token)

    @precondition(lambda self: self.former_owners)
    @rule(data=st.data())
    def a_former_owner_renews(self, data: st.DataObject) -> None:
        name, claimed, token = data.draw(st.sampled_from(self.former_owners))
        assert self._run(self.bench.renew(claimed, token=token)) == [claimed.job_id]
        self._is_heard_of(name, token)

    def _is_heard_of(self, name: str, token: str) -> None:
        if name in self.jobs:
            self.jobs[name].counted_for.discard(token)

    # ---- the passing of time --------------------------------------------------------------------------

    @precondition(lambda self: self._in("leased"))
    @rule(data=st.data())
    def an_owner_dies(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self._in("leased")))
        self._run(self.bench.let_lease_end(name))
        self.jobs[name].place = "orphaned"

    @precondition(lambda self: self._in("deferred"))
    @rule(data=st.data())
    def a_delay_passes(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self._in("deferred")))
        self._run(self.bench.make_due(name))
        self.jobs[name].place = "waiting"

    @rule(minutes=st.integers(1, 90))
    def redis_clock_is_set_back(self, minutes: int) -> None:
        # Nothing that was due or leased is less so.
        self._run(self.bench.set_clock_back(minutes * 60_000))

    @precondition(lambda self: self._in("done"))
    @rule(data=st.data())
    def a_result_expires(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self._in("done")))
        self._run(self.bench.redis.delete(keys.RESULT + self.bench.id(name)))
        del self.jobs[name]

    def _completed(self) -> list[str]:
        """Return the ended jobs that may be delivered again."""
        return self._in("done", "dead")

    @precondition(lambda self: self._completed())
    @rule(data=st.data())
    def a_completed_job_is_delivered_again(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self._completed()))
        self._run(self.bench.redis.zadd(self.bench.queue, {self.bench.id(name): 1}))
        self.claim(4)

    # ---- invariants -----------------------------------------------------------------------------------

    @invariant()
    def every_job_is_in_exactly_one_place(self) -> None:
        for name, job in self.jobs.items():
            assert self._run(self._places(name)) == [job.place], name

    @invariant()
    def the_counts_agree(self) -> None:
        counts = self._run(self.bench.counts())
        in_flight = len(self._in("leased", "orphaned"))
        waiting = len(self._in("waiting"))
        assert counts[:3] == (in_flight + waiting + len(self._in("deferred")), waiting, in_flight)
        assert self._run(self.bench.dead_count()) - self.dead_before == len(self._in("dead"))
        for name, job in self.jobs.items():
            assert self._run(self.bench.tries(name)) == job.tries, name

    async def _places(self, name: str) -> list[Place]:
        stored = await self.bench.places_of(name)
        places: list[Place] = []
        if "queue" in stored:
            assert keys.JOB in stored
            if "leased" in stored:
                assert keys.LEASES in stored
                places.append("leased" if keys.IN_PROGRESS in stored else "orphaned")
            else:
                assert not stored & {keys.LEASES, keys.IN_PROGRESS}
                places.append("deferred" if await self.bench.due_in_ms(name) > 0 else "waiting")
        if keys.DEAD in stored:
            places.append("dead")
        elif keys.RESULT in stored:
            places.append("done")
        return places

    def _name(self, claimed: ClaimedJob) -> str:
        return claimed.job_id.decode().partition(":")[0]

    def teardown(self) -> None:
        async def clear() -> None:
            await self.bench.redis.hdel(keys.DEAD, *(self.bench.id(name) for name in "abcde"))

        self._run(clear())
        self._run(self._bench_context.__aexit__(None, None, None))
        self._loop.close()
