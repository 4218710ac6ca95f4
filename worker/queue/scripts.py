"""Typed calls of the Lua scripts. Each is one round trip and one atomic step; the scripts say what they do."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

from redis.asyncio import Redis

from worker.errors import BatchClosed, BatchNotFound, KeyUsedTwice
from worker.queue import keys
from worker.queue.claim import HEARD_OF, Claim, ClaimedJob, EnvelopeProblem, worker_of
from worker.queue.completion import FINISH_KEYS, Completion, finish_args
from worker.queue.script_source import script_source

EnqueueState = Literal["new", "queued", "running", "done", "dead"]

RENEW_KEYS = (keys.LEASES, keys.CLOCK, keys.CRASHES)
"""The keys of renew.lua."""
LARGEST_ANSWER = 16 * 1024 * 1024
"""The most bytes of payloads in the answer to one claim."""
# How many values claim.lua returns for a job that is claimed for the first time, without a problem.
_FIRST_CLAIM = 4
# finish.lua's answer for a dead letter whose payload was deleted from Redis after it had been claimed.
_WITHOUT_PAYLOAD = 2


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
    """The queue of a job is full: `waiting` jobs wait on it, and `bound` may."""

    waiting: int
    bound: int


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
    """Return a job that was claimed before, has a problem, or is to be aborted: claim.lua says more of it."""
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
                # Nearly every job is claimed for the first time, so claim.lua sends only these four values.
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
