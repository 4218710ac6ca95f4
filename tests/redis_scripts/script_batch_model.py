"""The model of the queue with a batch: its counters equal a ledger, and its completion job is enqueued once."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from tests.redis_scripts.script_model import ACTS, NAMES, PAYLOADS, Job, Place, QueueMachine
from worker.errors import BatchClosed, KeyUsedTwice
from worker.queue import keys
from worker.queue.batches import OUTCOMES, BatchOutcome, completion_entry
from worker.queue.scripts import Enqueue, EnqueueState, Unmarked

_COUNTED: dict[str, BatchOutcome] = {"done": "complete", "dead": "dead"}


class BatchMachine(QueueMachine):
    """Some jobs are added to a batch, which is sealed or cancelled at some time.

    The ledger has the outcome of each job of the batch. The completion job has a queue of its own, which no worker
    serves. Jobs that were in Redis before they were added do not name the batch, as those that a worker of an
    earlier version ends.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ledger: dict[str, BatchOutcome | None] = {}
        self.acts_in_batch: dict[str, str] = {}
        self.names_batch: set[str] = set()
        self.rows = 0
        self.closed_by: str | None = None
        self.is_dropping = False
        """Whether the batch was cancelled, and not all of its jobs were looked at since."""
        self.completions_taken = 0
        self.batch_id = self.bench.queue.removeprefix("queue:")
        self.completions = f"{self.bench.queue}:completions"
        completion = Enqueue(self.bench.id("completion"), self.completions, b"completion")
        assert self._run(self.bench.batches.create(self.batch_id, completion))

    @property
    def has_ended(self) -> bool:
        return self.closed_by is not None and None not in self.ledger.values()

    # ---- producers ------------------------------------------------------------------------------------

    @initialize(names=st.lists(NAMES, min_size=1, max_size=4, unique=True))
    def begin(self, names: list[str]) -> None:
        self.add_to_the_batch(names, b"payload")

    @rule(names=st.lists(NAMES, min_size=1, max_size=5), payload=PAYLOADS)
    def add_to_the_batch(self, names: list[str], payload: bytes) -> None:
        add = self.bench.enqueue(*names, payload=payload, batch=self.batch_id)
        if self.closed_by is not None and set(names) - set(self.ledger):
            with pytest.raises(BatchClosed, match=self.closed_by):
                self._run(add)
            return
        answers: list[EnqueueState | Unmarked] = []
        for name in names:
            act = self._act_in_batch(name)
            answer = self._expected_answer(name, payload, self._state_in_batch(name, payload), act)
            if answer is None:
                with pytest.raises(KeyUsedTwice, match=self.bench.id(name)):
                    self._run(add)
                return
            answers.append(answer)
            self._added(name, payload)
            if isinstance(answer, Unmarked):
                # The last one that is looked at.
                break
        assert self._run(add) == answers

    def _act_in_batch(self, name: str) -> str | None:
        if self.ledger.get(name) is None:
            return self._act(name)
        job = self.jobs.get(name)
        return (ACTS.get(job.payload) if job else None) or self.acts_in_batch.get(name)

    def _state_in_batch(self, name: str, payload: bytes) -> EnqueueState:
        outcome = self.ledger.get(name)
        if outcome is not None:
            return "dead" if outcome == "dead" else "done"
        return "queued" if self.closed_by == "cancelled" else self._state(name, payload)

    def _added(self, name: str, payload: bytes) -> None:
        if name not in self.jobs and self.ledger.get(name) is None and self.closed_by != "cancelled":
            self.jobs[name] = Job("waiting", payload=payload)
            self.names_batch.add(name)
        job = self.jobs.get(name)
        # One that ended before it was added is counted at once.
        self.ledger.setdefault(name, _COUNTED.get(job.place) if job else None)

    @rule()
    def seal(self) -> None:
        self._run(self.bench.batches.seal(self.batch_id))
        self.closed_by = self.closed_by or "sealed"

    @rule()
    def cancel(self) -> None:
        if not self.has_ended:
            self.closed_by = "cancelled"
        dropped = self._drop_what_waits() if not self.has_ended else 0
        assert self._run(self.bench.batches.cancel(self.batch_id)) == dropped
        # A caller reads no results; a worker does later. The rest is settled as it is then.
        self._settle({"dead", "gone"})
        self.is_dropping = False

    @precondition(lambda self: not self.has_ended)
    @rule()
    def a_caller_dies_before_it_drops_a_job(self) -> None:
        self._run(self.bench.batches._close_batch(self.batch_id, "cancelled"))
        # Repeated, it changes nothing.
        self.is_dropping = self.is_dropping or self.closed_by != "cancelled"
        self.closed_by = "cancelled"

    def _is_to_be_dropped(self, name: str) -> bool:
        return self.is_dropping and not self.has_ended and name in self.ledger and self.ledger[name] is None

    def _claimable(self) -> list[str]:
        return [name for name in super()._claimable() if not self._is_to_be_dropped(name)]

    def _completed(self) -> list[str]:
        # Nobody claims such a job, and so nobody finds out that it has ended, until the others are dropped.
        return [name for name in super()._completed() if not self._is_to_be_dropped(name)]

    def _drop_what_waits(self) -> int:
        waiting = [name for name, outcome in self.ledger.items() if outcome is None and self._waits(name)]
        for name in waiting:
            self.ledger[name] = "dropped"
            del self.jobs[name]
        return len(waiting)

    def _waits(self, name: str) -> bool:
        return name in self.jobs and self.jobs[name].place in ("waiting", "deferred")

    @precondition(lambda self: self.has_ended)
    @rule()
    def the_completion_job_is_taken(self) -> None:
        taken = self._run(self.bench.redis.zrem(self.completions, self.bench.id("completion")))
        assert self._run(self.bench.redis.delete(keys.JOB + self.bench.id("completion"))) == taken
        self.completions_taken += taken

    def _enqueued(self, name: str) -> None:
        self.names_batch.discard(name)

    # ---- workers --------------------------------------------------------------------------------------

    def _batch_entry(self, name: str, action: str) -> str:
        if name not in self.names_batch:
            return ""
        outcome = _COUNTED.get(action)
        return completion_entry(self.batch_id, outcome, {"rows": 1} if outcome == "complete" else {})

    def _ended(self, name: str, job: Job) -> None:
        if name in self.names_batch and name in self.ledger and job.payload in ACTS:
            self.jobs[name] = job
            self.acts_in_batch[name] = ACTS[job.payload]
        else:
            super()._ended(name, job)

    def _complete(self, name: str, action: Any, keep: bool) -> None:
        job = self.jobs[name]
        super()._complete(name, action, keep)
        if name not in self.names_batch or name not in self.ledger:
            return
        outcome, earlier = _COUNTED.get(action), self.ledger[name]
        if outcome is None:
            if self.closed_by == "cancelled" and earlier is None:
                self.ledger[name] = "dropped"
                del self.jobs[name]
                assert self._run(self.bench.places_of(name)) == set()
        elif earlier in (None, "dead", "lost"):
            self.ledger[name] = outcome
            self.rows += outcome == "complete"
        assert job.owner is None

    def _of_the_batch(self, *places: Place) -> list[str]:
        return [name for name in self._in(*places) if name in self.ledger]

    # Each of these is several steps of the rules above, which chance alone would rarely take in this order.

    def _can_run(self) -> list[str]:
        return [*self._of_the_batch("leased"), *(name for name in self._claimable() if name in self.ledger)]

    @precondition(lambda self: self._can_run())
    @rule(data=st.data())
    def a_job_of_the_batch_completes(self, data: st.DataObject) -> None:
        self._run_one(data, "done")

    @precondition(lambda self: self._can_run())
    @rule(data=st.data())
    def a_job_of_the_batch_dies(self, data: st.DataObject) -> None:
        self._run_one(data, "dead")

    @precondition(lambda self: self._can_run())
    @rule(data=st.data(), action=st.sampled_from(["retry", "return"]))
    def a_job_of_the_batch_is_to_run_again(self, data: st.DataObject, action: str) -> None:
        self._run_one(data, action)

    @precondition(lambda self: self._of_the_batch("dead"))
    @rule(data=st.data())
    def a_retried_dead_letter_completes(self, data: st.DataObject) -> None:
        self._retry_one(data, "done")

    @precondition(lambda self: self._of_the_batch("dead"))
    @rule(data=st.data(), action=st.sampled_from(["dead", "retry"]))
    def a_retried_dead_letter_fails_again(self, data: st.DataObject, action: str) -> None:
        self._retry_one(data, action)

    def _retry_one(self, data: st.DataObject, action: str) -> None:
        name = data.draw(st.sampled_from(self._of_the_batch("dead")))
        assert self._run(self.bench.scripts.redrive([Enqueue(self.bench.id(name), self.bench.queue, b"x")])) == 1
        self.jobs[name] = Job("waiting", payload=b"x")
        self._claim_all()
        self._complete(name, action, keep=False)

    def _run_one(self, data: st.DataObject, action: str) -> None:
        self._claim_all()
        self._complete(data.draw(st.sampled_from(self._of_the_batch("leased"))), action, keep=False)

    def _claim_all(self) -> None:
        self.claim(max(1, len(self._claimable())))

    @precondition(lambda self: self.former_owners)
    @rule(data=st.data(), outcome=st.sampled_from(["complete", "dead"]))
    def a_former_owner_counts(self, data: st.DataObject, outcome: BatchOutcome) -> None:
        name, claimed, token = data.draw(st.sampled_from(self.former_owners))
        entry = completion_entry(self.batch_id, outcome, {"rows": 1})
        action = "done" if outcome == "complete" else "dead"
        assert not self._run(self.bench.finish(claimed, action, token, batch=entry))
        self._is_heard_of(name, token)

    @rule()
    def a_worker_settles_the_batch(self) -> None:
        if self.closed_by == "cancelled" and not self.has_ended:
            self._drop_what_waits()
        self._run(self.bench.batches.settle(self.batch_id, lambda _: "complete"))
        self._settle({"dead", "done", "gone"})
        self.is_dropping = False

    def _settle(self, seen: set[str]) -> None:
        for name, outcome in self.ledger.items():
            place = self.jobs[name].place if name in self.jobs else "gone"
            if outcome is None and place in seen:
                self.ledger[name] = _COUNTED.get(place, "lost")

    # ---- invariants -----------------------------------------------------------------------------------

    @invariant()
    def the_counters_equal_the_ledger(self) -> None:
        found = self._run(self.bench.batches.progress(self.batch_id))
        counted = Counter(outcome for outcome in self.ledger.values() if outcome is not None)
        shown = Counter({outcome: getattr(found, outcome) for outcome in OUTCOMES if getattr(found, outcome)})
        if self.is_dropping and not self.has_ended:
            # What waits counts as dropped already, as far as jobs of no other batch are leased.
            assert counted["dropped"] <= shown["dropped"] <= counted["dropped"] + len(self.ledger) - counted.total()
            shown["dropped"] = counted["dropped"]
        assert shown == counted
        assert (found.total, found.counts.get("rows", 0)) == (len(self.ledger), self.rows)
        assert found.has_ended == self.has_ended
        listed = self._run(self.bench.batches.jobs(self.batch_id))
        assert listed == [(self.bench.id(name), outcome) for name, outcome in self.ledger.items()]

    @invariant()
    def the_completion_job_is_enqueued_once(self) -> None:
        waiting = self._run(self.bench.redis.zscore(self.completions, self.bench.id("completion"))) is not None
        assert waiting + self.completions_taken == self.has_ended

    def teardown(self) -> None:
        async def clear() -> None:
            await self.bench.redis.zrem(keys.BATCHES, self.batch_id)
            await self.bench.redis.zrem(keys.CANCELLED_BATCHES, self.batch_id)
            await self.bench.redis.delete(keys.BATCH + self.batch_id)

        self._run(clear())
        super().teardown()
