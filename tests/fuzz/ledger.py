"""Enqueues fuzzed jobs and checks how each ends: done or as a dead letter, never both, and as expected."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import orjson
from arq.connections import ArqRedis

from tests.fuzz.envelopes import FuzzedJob
from worker.contract import BULK_QUEUE, QUEUES
from worker.queue import keys

_PORTION = 5_000
_GROUP = 250
_STALLED_AFTER_S = 60.0


@dataclass
class Tally:
    """How many jobs of each kind are done and how many are dead, and how many hospitals they created."""

    done: Counter[str] = field(default_factory=Counter)
    dead: Counter[str] = field(default_factory=Counter)
    created: int = 0

    @property
    def total(self) -> int:
        return self.done.total() + self.dead.total()


class Ledger:
    """Writes groups of jobs, waits until all have ended, and compares each with what is expected of it.

    Compared jobs are removed, so that a run of any length needs only the memory of a few groups. `untouched` is the
    number of jobs on the queues that are not the ledger's.
    """

    def __init__(self, redis: ArqRedis, *, untouched: int = 0) -> None:
        self._redis = redis
        self._untouched = untouched
        self.tally = Tally()

    async def run(self, jobs: Iterable[FuzzedJob], progress: Callable[[int], Awaitable[None]]) -> None:
        """Enqueue all the jobs, and check one portion of them while the worker runs the next."""
        before: list[FuzzedJob] = []
        # The bulk queue is served when the other is empty, so its jobs would block every portion.
        bulk: list[FuzzedJob] = []
        for portion in _portions(jobs):
            await self.put(portion)
            await self.settle(before)
            bulk += (job for job in portion if job.queue == BULK_QUEUE)
            before = [job for job in portion if job.queue != BULK_QUEUE]
            await progress(self.tally.total)
        await self.settle(before + bulk)
        await progress(self.tally.total)

    async def put(self, jobs: Sequence[FuzzedJob]) -> None:
        """Write jobs directly into Redis, their payloads before their queue entries."""
        for start in range(0, len(jobs), _GROUP):
            async with self._redis.pipeline(transaction=False) as pipe:
                queues: dict[str, dict[bytes, float]] = {}
                for job in jobs[start : start + _GROUP]:
                    key = keys.JOB.encode() + job.job_id
                    match job.stored_as:
                        case "string":
                            pipe.set(key, job.payload)
                        case "list":
                            pipe.rpush(key, job.payload)
                        case "set":
                            pipe.sadd(key, job.payload)
                        case "hash":
                            pipe.hset(key, b"payload", job.payload)
                    queues.setdefault(job.queue, {})[job.job_id] = job.score
                for queue, places in queues.items():
                    pipe.zadd(queue, places)
                    pipe.lpush(queue + keys.WAKEUP_SUFFIX, 1)
                    pipe.ltrim(queue + keys.WAKEUP_SUFFIX, 0, 0)
                await pipe.execute()

    async def wait_until_drained(self, jobs: Sequence[FuzzedJob]) -> None:
        """Wait until none of the jobs is on a queue. Raises `TimeoutError` when no job has left one for 60 s."""
        waiting, deadline = list(jobs), time.monotonic() + _STALLED_AFTER_S
        while waiting:
            scores: list[Any] = []
            for start in range(0, len(waiting), 1_000):
                async with self._redis.pipeline(transaction=False) as pipe:
                    for job in waiting[start : start + 1_000]:
                        pipe.zscore(job.queue, job.job_id)
                    scores += await pipe.execute()
            left = [job for job, score in zip(waiting, scores, strict=True) if score is not None]
            if len(left) < len(waiting):
                deadline = time.monotonic() + _STALLED_AFTER_S
            elif time.monotonic() > deadline:
                raise TimeoutError(f"{len(left)} jobs stay on the queues: {Counter(job.kind for job in left)}")
            waiting = left
            await asyncio.sleep(0.05)

    async def settle(self, jobs: Sequence[FuzzedJob]) -> None:
        """Wait until the jobs have ended, compare each with what is expected of it, and remove them."""
        await self.wait_until_drained(jobs)
        for start in range(0, len(jobs), _GROUP):
            group = jobs[start : start + _GROUP]
            ids = [job.job_id for job in group]
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.hmget(keys.DEAD, ids)
                pipe.mget([keys.RESULT.encode() + job_id for job_id in ids])
                pipe.zmscore(keys.DEAD_INDEX, ids)
                pipe.mget([keys.DEAD_PAYLOAD.encode() + job_id for job_id in ids])
                dead_letters, results, indexed, payloads = await pipe.execute()
            for job, dead_letter, result, index, payload in zip(
                group, dead_letters, results, indexed, payloads, strict=True
            ):
                assert (dead_letter is None) == (index is None), job
                self._compare(job, dead_letter, result, payload)
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.hdel(keys.DEAD, *ids)
                pipe.zrem(keys.DEAD_INDEX, *ids)
                pipe.delete(*(keys.RESULT.encode() + job_id for job_id in ids))
                pipe.delete(*(keys.DEAD_PAYLOAD.encode() + job_id for job_id in ids))
                await pipe.execute()

    def _compare(
        self, job: FuzzedJob, dead_letter: bytes | None, result: bytes | None, payload: bytes | None
    ) -> None:
        seen = f"{job.kind} {job.job_id[:100]!r} {job.payload[:3_000]!r}"
        assert result is not None, f"no result of {seen}"
        stored = orjson.loads(_unsigned(result))
        if dead_letter is None:
            assert stored["s"] is True, f"neither done nor dead: {seen}"
            assert job.fate != "dead", f"was accepted: {seen}"
            outcome = stored["r"]
            expected = dict(job.outcome or {})
            assert {name: outcome.get(name) for name in expected} == expected, f"{outcome} of {seen}"
            self.tally.done[job.kind] += 1
            statuses = outcome.get("statuses", [outcome.get("status")])
            self.tally.created += statuses.count("created")
            # A hospital with a higher revision existed before and was only promoted.
            self.tally.created += statuses == ["registered"] and outcome["revision"] == 1
            return
        assert stored["s"] is False, f"done and dead: {seen}"
        kept = orjson.loads(dead_letter)
        failure = kept["failure"]
        assert job.fate != "done", f"{failure} of {seen}"
        assert failure["tries"] == job.tries, f"{failure} of {seen}"
        assert kept["reason"] in ("permanent error", "unexpected error"), f"{kept['reason']}: {failure} of {seen}"
        assert not kept["crashes"], seen
        assert (payload or b"") == (job.payload if job.stored_as == "string" else b""), seen
        self.tally.dead[job.kind] += 1

    async def assert_nothing_is_left(self) -> None:
        """Fail if Redis still holds anything of the jobs."""
        left = {queue: await self._redis.zcard(queue) for queue in QUEUES}
        left |= {
            queue + keys.LEASED_SUFFIX: await self._redis.zcard(queue + keys.LEASED_SUFFIX) for queue in QUEUES
        }
        left |= {name: await self._redis.hlen(name) for name in (keys.LEASES, keys.CRASHES, keys.DEAD)}
        assert sum(left.values()) == self._untouched, left
        strays = [key async for key in self._redis.scan_iter(match="arq:*fuzz:*", count=1_000)]
        assert not strays, strays[:20]


def _portions(jobs: Iterable[FuzzedJob]) -> Iterator[list[FuzzedJob]]:
    rest = iter(jobs)
    while portion := list(islice(rest, _PORTION)):
        yield portion


def _unsigned(message: bytes) -> bytes:
    return message.split(b":", 3)[3] if message.startswith(b"hmac-sha256:") else message
