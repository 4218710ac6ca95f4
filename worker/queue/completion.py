"""The record that ends a try, and its flat form: the arguments of finish.lua."""

import itertools
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Self

from worker.contract.job_ends import Trace, encode_traces
from worker.queue import keys
from worker.queue.claim import ClaimedJob, worker_of

SpentTries = Literal["spend", "keep"] | int

# A completion that needs no more memory than this, beyond what its job frees, is stored even if Redis is full: the
# jobs in flight are few, and each frees its payload when it ends.
_SMALL = 4_096
FINISH_KEYS = (keys.LEASES, keys.CRASHES, keys.ABORT, keys.DEAD, keys.DEAD_INDEX, keys.CLOCK)
"""The keys of finish.lua."""


class Completion(NamedTuple):
    """How a try ended: the record that ends its owner's claim on the job.

    Made by `done`, `dead`, `retry` and `hand_back`. `result_life_ms` is how long the result is kept (0: not at all,
    -1: for ever). `delay_ms` counts from now (retry), `score` is the due time to restore (return). `id_hold_ms` is
    how long the id of an ended job stays taken: above 0 a job that is enqueued under it is dropped, below 0 it
    waits. `tries` says whether this try counts, or how many tries there were by the producer's count. `record` is
    the dead letter (dead) or an entry of the job's history (retry). `payload` is that of a job that has ended; it
    is not sent. `batch` is what `worker.queue.batches.completion_entry` returns, empty for a job of no batch.
    `trace` is what the history keeps of a job that has ended, `None` without a history.
    """

    job_id: bytes
    queue: str
    token: str
    action: Literal["done", "dead", "retry", "return"]
    result: bytes = b""
    result_life_ms: int = 0
    delay_ms: float = 0
    score: float = 0
    id_hold_ms: int = 0
    tries: SpentTries = "spend"
    record: bytes = b""
    payload: bytes = b""
    batch: str = ""
    trace: Trace | None = None

    @classmethod
    def done(
        cls,
        job: ClaimedJob,
        token: str,
        *,
        result: bytes = b"",
        result_life_ms: int = 0,
        id_hold_ms: int = 0,
        trace: Trace | None = None,
    ) -> Self:
        """Return the completion of a job that ended, well or aborted."""
        return cls(
            job.job_id,
            job.queue,
            token,
            "done",
            result,
            result_life_ms,
            id_hold_ms=id_hold_ms,
            payload=job.payload,
            trace=trace,
        )

    @classmethod
    def dead(
        cls,
        job: ClaimedJob,
        token: str,
        *,
        dead_letter: bytes,
        result: bytes = b"",
        result_life_ms: int = 0,
        id_hold_ms: int = 0,
        trace: Trace | None = None,
    ) -> Self:
        """Return the completion of a job that becomes a dead letter."""
        return cls(
            job.job_id,
            job.queue,
            token,
            "dead",
            result,
            result_life_ms,
            id_hold_ms=id_hold_ms,
            record=dead_letter,
            payload=job.payload,
            trace=trace,
        )

    @classmethod
    def retry(
        cls, job: ClaimedJob, token: str, *, delay_ms: float, tries: SpentTries = "spend", failure: bytes = b""
    ) -> Self:
        """Return the completion of a try after which the job runs again in `delay_ms`."""
        return cls(job.job_id, job.queue, token, "retry", delay_ms=delay_ms, tries=tries, record=failure)

    @classmethod
    def hand_back(cls, job: ClaimedJob, token: str) -> Self:
        """Return the completion that puts a job back where it was, without spending a try."""
        return cls(job.job_id, job.queue, token, "return", score=job.score, tries="keep")

    @property
    def needs_memory(self) -> bool:
        """Whether Redis needs noticeably more memory afterwards. Only a done job frees its payload."""
        freed = len(self.payload) if self.action == "done" else 0
        return len(self.result) + len(self.record) > freed + _SMALL

    def shared(self) -> tuple[Any, ...]:
        """Return the values that finish.lua takes once for completions that follow one another and share them.

        Two of them mean something else for each action.
        """
        tries: str | int = self.tries
        if self.action == "retry":
            due: float = self.delay_ms
        elif self.action == "return":
            due = self.score
        else:
            due = self.id_hold_ms
            tries = "move" if self.payload else "drop"
        return self.queue, self.token, self.action, self.result_life_ms, due, tries, self.record, self.batch


def finish_args(completions: Sequence[Completion]) -> list[Any]:
    """Return the arguments of finish.lua for a group of completions."""
    args: list[Any] = [1, _traces_of(completions)]
    # Most completions share all but their id and result. Each value costs time here, on the way, and in the script.
    for shared, group in itertools.groupby(completions, Completion.shared):
        count_at = len(args)
        args += (0, *shared)
        for completion in group:
            args += (completion.job_id, completion.result)
            args[count_at] += 1
            if len(completion.result) + len(completion.record) > _SMALL and completion.needs_memory:
                args[0] = 0
    return args


def _traces_of(completions: Sequence[Completion]) -> bytes:
    traces = [completion.trace for completion in completions]
    # All completions of a call are of one worker.
    return encode_traces(worker_of(completions[0].token), traces) if any(traces) else b""
