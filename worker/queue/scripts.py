"""Typed calls of the Lua scripts. Each is one round trip and one atomic step; the scripts say what they do."""

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal, NamedTuple, Self, cast

from redis.asyncio import Redis

from worker.contract.job_ends import Trace, encode_traces
from worker.errors import BatchClosed, BatchNotFound, KeyUsedTwice
from worker.queue import keys

EnqueueState = Literal["new", "queued", "running", "done", "dead"]
SpentTries = Literal["spend", "keep"] | int
EnvelopeProblem = Literal["", "missing", "wrong-type"]

LARGEST_ANSWER = 16 * 1024 * 1024
"""The most bytes of payloads in the answer to one claim."""
_BYTES_BESIDE_PAYLOAD = 100
# A completion that needs no more memory than this, beyond what its job frees, is stored even if Redis is full: the
# jobs in flight are few, and each that ends lets go of its payload.
_SMALL = 4_096
# How many values claim.lua returns of a job of which there is nothing more to say.
_FIRST_CLAIM = 4
# finish.lua's answer for a dead letter whose payload had gone from Redis since it was claimed.
_WITHOUT_PAYLOAD = 2
HEARD_OF = "-"
"""Stands in `ClaimedJob.lost_by` for an owner that was heard of after its lease had ended."""


# The names that every script finds its keys under.
_LUA_NAMES = {
    "JOB": keys.JOB,
    "IN_PROGRESS": keys.IN_PROGRESS,
    "RESULT": keys.RESULT,
    "TRIES": keys.TRIES,
    "HISTORY": keys.HISTORY,
    "CLOCK": keys.CLOCK,
    "DEAD_PAYLOAD": keys.DEAD_PAYLOAD,
    "DIGEST": keys.DIGEST,
    "ENDED": keys.ENDED,
    "ENDED_UNTOLD": keys.ENDED_UNTOLD,
    "BATCHES": keys.BATCHES,
    "CANCELLED_BATCHES": keys.CANCELLED_BATCHES,
    "PAUSES": keys.PAUSES,
    "BATCH": keys.BATCH,
    "BATCH_JOBS": keys.BATCH_JOBS,
    "BATCH_ORDER": keys.BATCH_ORDER,
    "BATCH_COMPLETION": keys.BATCH_COMPLETION,
    "RATES": keys.RATES,
    "WAITERS": keys.WAITERS,
    "WAITER": keys.WAITER,
    "TOLD": keys.TOLD,
    "LEASED_SUFFIX": keys.LEASED_SUFFIX,
    "WAKEUP_SUFFIX": keys.WAKEUP_SUFFIX,
    "RATE_SUFFIX": keys.RATE_SUFFIX,
}


# Some have a second part, which would only cost the others time.
_SHARED = (
    dict.fromkeys(("enqueue", "finish", "batch_create", "batch_close", "batch_next", "batch_settle"), ("batches",))
    | dict.fromkeys(("redrive", "dead_operation"), ("dead",))
    | {"claim": ("rate_limit",)}
)


@functools.cache
def script_source(name: str) -> str:
    """Return the text of a script in `worker/queue/lua`, with the key names and the shared parts before it."""
    folder = files("worker.queue").joinpath("lua")
    names = "".join(f"local {variable} = '{key}'\n" for variable, key in _LUA_NAMES.items())
    names_of_parts = ("prelude", *_SHARED.get(name, ()), name)
    parts = [folder.joinpath(f"{part}.lua").read_text(encoding="utf-8") for part in names_of_parts]
    return names + "".join(parts)


class Enqueue(NamedTuple):
    """One job to put on a queue; `delay_ms` from now, by Redis's clock."""

    job_id: str
    queue: str
    payload: bytes
    delay_ms: int = 0


class Unmarked(NamedTuple):
    """How the queue found the id of a job without a digest; `stored` is its envelope or its result, to compare."""

    state: EnqueueState
    stored: bytes


class Full(NamedTuple):
    """The queue of a job takes no more: `waiting` jobs are on it that do not run, and `bound` may be."""

    waiting: int
    bound: int


class ClaimedJob(NamedTuple):
    """One leased job. `job_id` is bytes, because any program can write to Redis.

    `tries` counts this one and those that were spent, `crashes` how often its lease ended and its owner was not
    heard of again, `score` is the due time in ms that it had, `abort_ms` when its abort was requested, or -1.
    `lost_by` has an entry for each lease of it that ended: the owner's token, or `HEARD_OF`.
    """

    job_id: bytes
    queue: str
    score: float
    tries: int
    crashes: int
    abort_ms: float
    problem: EnvelopeProblem
    payload: bytes
    lost_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer to a claim; times in ms by Redis's clock, `next_due_ms` of what is deferred, or -1.

    `paused` has what an operator had paused when the jobs were claimed: see `worker.queue.pauses`. The queues
    in `held_back` had more due jobs than their rate let start.
    """

    now_ms: int
    next_due_ms: int
    jobs: list[ClaimedJob]
    paused: frozenset[str] = frozenset()
    held_back: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """About how many bytes the answer had; claim.lua counts likewise."""
        return sum([len(job.payload) + _BYTES_BESIDE_PAYLOAD for job in self.jobs])


class Completion(NamedTuple):
    """How a try ended: the record that takes a job out of its owner's hands.

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


RENEW_KEYS = (keys.LEASES, keys.CLOCK, keys.CRASHES)
"""The keys of renew.lua."""
FINISH_KEYS = (keys.LEASES, keys.CRASHES, keys.ABORT, keys.DEAD, keys.DEAD_INDEX, keys.CLOCK)
"""The keys of finish.lua."""


def finish_args(completions: Sequence[Completion]) -> list[Any]:
    """Return the arguments of finish.lua for a group of completions."""
    args: list[Any] = [1, _traces_of(completions)]
    # Most have all but their id and their result in common: each value costs here, on the way, and in the script.
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


class QueueCounts(NamedTuple):
    """What is on one queue: `due` can be claimed now; `oldest_ms` is the earliest due time among them, or -1."""

    total: int
    due: int
    in_flight: int
    oldest_ms: float


@dataclass(frozen=True, slots=True)
class Counts:
    """What is on the queues, and how many dead letters there are."""

    now_ms: int
    dead: int
    queues: dict[str, QueueCounts]


def _claimed_again(names: Sequence[str], job: Sequence[Any]) -> ClaimedJob:
    """Return a job of which claim.lua says more than of one that is claimed for the first time."""
    job_id, position, score, payload, tries, crashes, abort_ms, problem, owners = job
    return ClaimedJob(
        job_id,
        names[position],
        float(score),
        tries,
        crashes,
        float(abort_ms),
        cast(EnvelopeProblem, problem.decode()),
        payload,
        tuple(map(_lost_by, owners.decode(errors="backslashreplace").split())),
    )


def _not_a_state(state: bytes, *more: Any) -> Unmarked | Full:
    return Full(*more) if state == b"full" else Unmarked(cast(EnqueueState, state.decode()), *more)


def _lost_by(owner: str) -> str:
    return HEARD_OF if owner.startswith(HEARD_OF) else owner


def key_used_twice(job_id: str) -> KeyUsedTwice:
    """Return the error of a call whose idempotency key has made this job, which does something else."""
    return KeyUsedTwice(f"{job_id} was enqueued with another payload")


def worker_of(token: str) -> str:
    """Return the id of the worker that owns a job by this token."""
    return token.rpartition(":")[0] or token


class Scripts:
    """The scripts on one connection pool."""

    def __init__(self, redis: "Redis[bytes]") -> None:
        self._redis = redis
        self._claim = redis.register_script(script_source("claim"))
        self._recover = redis.register_script(script_source("recover"))
        self._finish = redis.register_script(script_source("finish"))
        self._enqueue = redis.register_script(script_source("enqueue"))
        self._stats = redis.register_script(script_source("stats"))
        self._redrive = redis.register_script(script_source("redrive"))
        self._discard = redis.register_script(script_source("discard"))
        self._dead_sizes = redis.register_script(script_source("dead_sizes"))

    async def claim(
        self,
        token: str,
        lease_ms: int,
        wanted: int,
        queues: Sequence[tuple[str, int]],
        largest_answer: int = LARGEST_ANSWER,
        rates: Mapping[str, float] | None = None,
    ) -> Claim:
        """Lease up to `wanted` due jobs from `queues`, pairs of a queue and how many it may give, in order.

        At least one job is leased if one is due, and no more once their payloads fill `largest_answer` bytes.
        `token` begins with the worker's id and a colon. A queue may be named twice. `rates` has how many jobs of a
        queue all workers together may claim in a second; then none may be leased although some are due.
        """
        names = [queue for queue, _ in queues]
        now_ms, next_due_ms, jobs, paused, held_back = await self._claim(
            keys=[keys.LEASES, keys.CRASHES, keys.ABORT, keys.CLOCK, keys.DEAD, keys.CLAIMS, *names],
            args=[
                *(token, lease_ms, wanted, largest_answer, worker_of(token)),
                *(limit for _, limit in queues),
                *itertools.chain.from_iterable((rates or {}).items()),
            ],
        )
        return Claim(
            now_ms,
            next_due_ms,
            [
                # Nearly every job is claimed for the first time, which is not said of each.
                ClaimedJob(job[0], names[job[1]], float(job[2]), 1, 0, -1.0, "", job[3])
                if len(job) == _FIRST_CLAIM
                else _claimed_again(names, job)
                for job in jobs
            ],
            frozenset(name.decode(errors="backslashreplace") for name in paused),
            frozenset(name.decode() for name in held_back),
        )

    async def recover(self, token: str, queues: Sequence[str], defer_ms: int = 0) -> tuple[int, bytes]:
        """Hand back the jobs of a worker's last claim, whose answer never came.

        Returns how many there were, and the id of the last one. If there was one alone, it is deferred for
        `defer_ms` milliseconds.
        """
        names = [keys.LEASES, keys.CLAIMS, *queues]
        count, last = await self._recover(keys=names, args=[token, worker_of(token), defer_ms])
        return count, last

    async def finish(self, completions: Iterable[Completion]) -> list[bool]:
        """Store a group of completions; returns for each whether it was applied, or refused as too late.

        A group of which none needs memory is stored even if Redis is full.
        """
        group = list(completions)
        answers = await self._finish(keys=FINISH_KEYS, args=finish_args(group))
        if _WITHOUT_PAYLOAD in answers:
            for completion, answer in zip(group, answers, strict=True):
                if answer == _WITHOUT_PAYLOAD:
                    await self._redis.set(
                        keys.DEAD_PAYLOAD.encode() + completion.job_id, completion.payload, nx=True
                    )
        return [answer > 0 for answer in answers]

    async def enqueue(
        self, jobs: Iterable[Enqueue], batch: str = "", bounds: Mapping[str, int] | None = None
    ) -> list[EnqueueState | Unmarked | Full]:
        """Put jobs on their queues, each id once; returns for each how the queue found its id.

        A job with a digest (`worker.queue.digests`) may be met by one without: then the last answer is `Unmarked`,
        and the jobs after it were not enqueued. Raises `KeyUsedTwice` if the id of a job was used for another act:
        the jobs before it were enqueued, and none after it.

        `bounds` has how many jobs may wait on a queue. If that of a job is full, the last answer is `Full`: this
        job was not enqueued, and none after it.

        With the id of a batch, jobs that it does not have are counted in it in the same step. Raises `BatchClosed`
        if it takes none, and `BatchNotFound`; then no job was enqueued.
        """
        jobs = list(jobs)
        args: list[Any] = [len(bounds or {})]
        for bound in (bounds or {}).items():
            args += bound
        for job in jobs:
            args += job
        names = [keys.LEASES, keys.CRASHES, keys.ABORT, keys.DEAD]
        if batch:
            names.append(keys.BATCH + batch)
        answers = await self._enqueue(keys=names, args=args)
        found = [it.decode() if isinstance(it, bytes) else _not_a_state(*it) for it in answers]
        if found and found[0] == "no batch":
            raise BatchNotFound(f"{batch}: no batch has this id; create it first")
        if found and found[0] in ("sealed", "cancelled"):
            raise BatchClosed(f"{batch}: the batch is {found[0]} and takes no more jobs; nothing was enqueued")
        if found and found[-1] == "used":
            raise key_used_twice(jobs[len(found) - 1].job_id)
        return cast(list[EnqueueState | Unmarked | Full], found)

    async def redrive(self, jobs: Iterable[Enqueue]) -> int:
        """Put dead letters back on their queues; returns how many still were dead letters."""
        args: list[Any] = []
        for job in jobs:
            args.extend(job)
        return sum(await self._redrive(keys=[keys.DEAD, keys.DEAD_INDEX, keys.ABORT], args=args))

    async def discard(self, dead_letters: Iterable[tuple[bytes, bytes]]) -> int:
        """Delete dead letters, pairs of an id and what was read, unless they have changed; returns how many."""
        args = [value for pair in dead_letters for value in pair]
        return int(await self._discard(keys=[keys.DEAD, keys.DEAD_INDEX], args=args))

    async def dead_sizes(self, first: int, last: int) -> list[int]:
        """Return the bytes of the dead letters from one rank in their index to another, payloads included."""
        sizes: list[int] = await self._dead_sizes(keys=[keys.DEAD, keys.DEAD_INDEX], args=[first, last])
        return sizes

    async def counts(self, queues: Sequence[str]) -> Counts:
        """Count what is on the queues."""
        now_ms, dead, *rows = await self._stats(keys=[keys.DEAD, *queues])
        return Counts(
            now_ms,
            dead,
            {
                queue: QueueCounts(total, due, in_flight, float(oldest))
                for queue, (total, due, in_flight, oldest) in zip(queues, rows, strict=True)
            },
        )
