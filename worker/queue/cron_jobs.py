"""The cron jobs of all workers: when each runs next, when it ran last, and a run of one out of turn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.codec import Codec
from worker.queue import keys
from worker.queue.heartbeats import STALE_AFTER_S, CronPlan, read_heartbeats, redis_time
from worker.queue.scripts import Enqueue, EnqueueState, Scripts, Unmarked
from worker.redis.errors import error_code

# The year 2286 in milliseconds. A number with more digits is not an instant: another program wrote it.
_MOST_DIGITS = 13


@dataclass(frozen=True, slots=True)
class KnownCronJob:
    """A cron job on its queue; instants in milliseconds since 1970, `None` if they are not known.

    `workers` is how many workers have it that were heard lately; only they plan its `next_ms`. `last_ms` is the
    planned time of its last run. `job_id` is the id that all runs share; empty if each run has its own.
    """

    name: str
    queue: str
    workers: int
    job_id: str
    next_ms: float | None
    last_ms: int | None


async def read_cron_jobs(redis: "Redis[bytes]", queues: Sequence[str]) -> list[KnownCronJob]:
    """Return the cron jobs that workers have, and those that ran on their queues, or on `queues`, before.

    They are sorted by name. Two round trips; raises redis-py's errors.
    """
    now, heartbeats = await redis_time(redis), await read_heartbeats(redis)
    plans: dict[tuple[str, str], list[CronPlan]] = {}
    workers: dict[tuple[str, str], set[str]] = {}
    for heartbeat in heartbeats:
        if heartbeat.age_s(now) <= STALE_AFTER_S:
            for plan in heartbeat.cron_jobs:
                plans.setdefault((plan.name, plan.queue), []).append(plan)
                # A worker may have several schedules of one function.
                workers.setdefault((plan.name, plan.queue), set()).add(heartbeat.worker)
    served = [queue for heartbeat in heartbeats for queue in heartbeat.queues]
    last = await _last_runs(redis, tuple(dict.fromkeys([*queues, *served, *(queue for _, queue in plans)])))
    return [
        _known(*key, len(workers.get(key, ())), plans.get(key, []), last.get(key))
        for key in sorted(plans.keys() | last.keys())
    ]


async def run_cron_job(
    redis: "Redis[bytes]", codec: Codec, cron_job: KnownCronJob, asked_ms: int
) -> tuple[str, EnqueueState]:
    """Enqueue a run that is due now, beside the planned ones; returns its id, and how the queue found that.

    A second call with the same `asked_ms` asks for the same run, which is not enqueued twice. Neither are runs that
    share an id. Raises redis-py's errors.
    """
    now_ms = int((await redis_time(redis)).timestamp() * 1000)
    # Not the form of a planned run's id, whose run this one must not replace.
    job_id = cron_job.job_id or f"{cron_job.name}:now:{asked_ms}"
    call: dict[str, Any] = {"t": None, "f": cron_job.name, "a": [], "k": {}, "et": now_ms, "id": job_id}
    (found,) = await Scripts(redis).enqueue([Enqueue(job_id, cron_job.queue, codec.encode(call))])
    # Without bounds, so it is not `Full`: a run that people ask for is one job.
    return job_id, found.state if isinstance(found, Unmarked) else cast(EnqueueState, found)


async def _last_runs(redis: "Redis[bytes]", queues: Sequence[str]) -> dict[tuple[str, str], int | None]:
    async with redis.pipeline(transaction=False) as pipe:
        for queue in queues:
            pipe.hgetall(queue + keys.CRON_SUFFIX)
        answers = await pipe.execute(raise_on_error=False)
    found: dict[tuple[str, str], int | None] = {}
    for queue, answer in zip(queues, answers, strict=True):
        if isinstance(answer, RedisError):
            # A key of another type has no runs; workers refuse to start with it.
            if error_code(answer) != "WRONGTYPE":
                raise answer
            continue
        for name, stored in answer.items():
            found[name.decode(errors="backslashreplace"), queue] = _instant(stored)
    return found


def _known(name: str, queue: str, workers: int, plans: Sequence[CronPlan], last_ms: int | None) -> KnownCronJob:
    planned = [plan.next_run for plan in plans if plan.next_run is not None]
    return KnownCronJob(
        name=name,
        queue=queue,
        workers=workers,
        job_id=plans[0].job_id if plans else "",
        next_ms=min(planned).timestamp() * 1000 if planned else None,
        last_ms=last_ms,
    )


def _instant(stored: bytes) -> int | None:
    return int(stored) if stored.isdigit() and len(stored) <= _MOST_DIGITS else None
