"""The test bench of the Lua scripts: queues and job ids that belong to one test, on a shared Redis."""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from tests.support.redis_clock import set_clock_back
from worker.queue import keys
from worker.queue.batches import BatchStore
from worker.queue.claim import Claim, ClaimedJob
from worker.queue.clock import queue_time_ms
from worker.queue.completion import Completion
from worker.queue.script_source import script_source
from worker.queue.scripts import RENEW_KEYS, Enqueue, EnqueueState, Full, QueueCounts, Scripts, Unmarked

LEASE_MS = 60_000
OWNER = "token"
_DUE_FIELD = {"retry": "delay_ms", "return": "score"}


class ScriptBench:
    """Two queues of one test, and methods that act on them like producers, workers and the passing of time."""

    def __init__(self, redis: "Redis[bytes]") -> None:
        tag = uuid.uuid4().hex
        self.redis = redis
        self.scripts = Scripts(redis)
        self.batches = BatchStore(redis)
        self.queue, self.bulk = f"queue:{tag}", f"queue:{tag}:bulk"
        self.queues = (self.queue, self.bulk)
        self._tag = tag
        self._renew = redis.register_script(script_source("renew"))

    def id(self, name: str) -> str:
        return f"{name}:{self._tag}"

    async def enqueue(
        self,
        *names: str,
        queue: str | None = None,
        payload: bytes = b"payload",
        delay_ms: int = 0,
        batch: str = "",
        bound: int | None = None,
    ) -> list[EnqueueState | Unmarked | Full]:
        """Enqueue jobs; `bound` is how many may wait on the queue."""
        return await self.scripts.enqueue(
            [Enqueue(self.id(name), queue or self.queue, payload, delay_ms) for name in names],
            batch,
            None if bound is None else {queue or self.queue: bound},
        )

    async def claim(
        self,
        token: str = OWNER,
        wanted: int = 1_000,
        lease_ms: int = LEASE_MS,
        *,
        rates: Mapping[str, float] | None = None,
    ) -> Claim:
        limits = [(queue, wanted) for queue in self.queues]
        return await self.scripts.claim(token, lease_ms, wanted, limits, rates=rates)

    async def claim_one(self, token: str = OWNER) -> ClaimedJob:
        (job,) = (await self.claim(token)).jobs
        return job

    async def claimed_names(self, token: str = OWNER, wanted: int = 1_000) -> list[str]:
        jobs = (await self.claim(token, wanted)).jobs
        return [job.job_id.decode().removesuffix(f":{self._tag}") for job in jobs]

    async def finish(
        self, job: ClaimedJob, action: Any = "done", token: str = OWNER, *, due: float = 0, **values: Any
    ) -> bool:
        """Store one completion. `due` is the delay (retry), the score (return) or the hold time of the id."""
        values[_DUE_FIELD.get(action, "id_hold_ms")] = due
        completion = Completion(job.job_id, job.queue, token, action, **values)
        (applied,) = await self.scripts.finish([completion])
        return applied

    async def renew(self, *jobs: ClaimedJob, token: str = OWNER, lease_ms: int = LEASE_MS) -> list[bytes]:
        values = [value for job in jobs for value in (job.job_id, job.queue, token)]
        lost: list[bytes] = await self._renew(keys=RENEW_KEYS, args=[lease_ms, *values])
        return lost

    async def let_lease_end(self, name: str, queue: str | None = None) -> None:
        """Expire a lease, as if its owner had not renewed it in time."""
        expired_ms = await self.now_ms() - 1
        await self.redis.delete(keys.IN_PROGRESS + self.id(name))
        for key in (queue or self.queue, (queue or self.queue) + keys.LEASED_SUFFIX):
            await self.redis.zadd(key, {self.id(name): expired_ms}, xx=True)

    async def make_due(self, name: str) -> None:
        """Make a deferred job due, as if its delay had passed."""
        await self.redis.zadd(self.queue, {self.id(name): await self.now_ms() - 1}, xx=True)

    async def stock_worker_claims(self, name: str) -> None:
        """Write what arq's own worker writes when it starts a job."""
        await self.redis.set(keys.IN_PROGRESS + self.id(name), b"1", px=LEASE_MS)

    async def stock_worker_completes(self, name: str) -> None:
        """Delete what arq's own worker deletes when a job completes and its result is not kept."""
        job_id = self.id(name)
        await self.redis.delete(keys.IN_PROGRESS + job_id, keys.JOB + job_id, keys.TRIES + job_id)
        await self.redis.zrem(self.queue, job_id)

    async def set_clock_back(self, milliseconds: int) -> None:
        """Let Redis's clock be set back, just after a script has noted the queues' time."""
        now_ms, redis_ms = await self.now_ms(), await self.redis_ms()
        await self.redis.hset(keys.CLOCK, mapping={"noted": redis_ms, "ahead": max(now_ms - redis_ms, 0)})
        await set_clock_back(self.redis, milliseconds, self.queues)

    async def redis_ms(self) -> int:
        """Return what Redis's clock shows."""
        seconds, microseconds = await self.redis.time()
        return int(seconds * 1000 + microseconds // 1000)

    async def now_ms(self) -> int:
        """Return the queues' time."""
        noted, ahead = await self.redis.hmget(keys.CLOCK, ["noted", "ahead"])
        return queue_time_ms(await self.redis_ms(), noted, ahead)

    async def tries(self, name: str) -> int:
        return int(await self.redis.get(keys.TRIES + self.id(name)) or 0)

    async def history(self, name: str) -> list[bytes]:
        entries: list[bytes] = await self.redis.lrange(keys.HISTORY + self.id(name), 0, -1)
        return entries

    async def due_in_ms(self, name: str) -> float:
        """Return in how many milliseconds a job on `self.queue` is due."""
        return float(await self.redis.zscore(self.queue, self.id(name))) - await self.now_ms()

    async def counts(self) -> QueueCounts:
        return (await self.scripts.counts([self.queue])).queues[self.queue]

    async def dead_count(self) -> int:
        return (await self.scripts.counts([])).dead

    async def wakeups(self) -> int:
        """Return how many wake-ups of `self.queue` no worker has consumed yet."""
        return int(await self.redis.llen(self.queue + keys.WAKEUP_SUFFIX))

    async def places_of(self, name: str) -> set[str]:
        """Return the places in Redis that hold something of a job."""
        job_id = self.id(name)
        prefixes = [keys.JOB, keys.IN_PROGRESS, keys.RESULT, keys.TRIES, keys.HISTORY]
        found = {prefix for prefix in prefixes if await self.redis.exists(prefix + job_id)}
        found |= {name for name in (keys.LEASES, keys.CRASHES, keys.DEAD) if await self.redis.hexists(name, job_id)}
        sets = {
            "queue": self.queue,
            "leased": self.queue + keys.LEASED_SUFFIX,
            "abort": keys.ABORT,
            "dead index": keys.DEAD_INDEX,
        }
        scores = await asyncio.gather(*(self.redis.zscore(key, job_id) for key in sets.values()))
        return found | {place for place, score in zip(sets, scores, strict=True) if score is not None}
