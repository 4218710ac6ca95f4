"""Requests to abort jobs: delivered to running jobs, and removed when they met none."""

from arq.utils import timestamp_ms

from worker.engine.context import EngineContext
from worker.engine.slots import Slots
from worker.queue import keys

_REQUEST_LIFE_MS = 60_000


class AbortWatch:
    """Interrupts running jobs whose abort was requested."""

    def __init__(self, context: EngineContext, slots: Slots) -> None:
        self._context = context
        self._slots = slots

    async def check(self) -> None:
        """Look at all requests once, and remove those that are a minute old and whose job is gone."""
        redis = self._context.redis
        stale_before = timestamp_ms() - _REQUEST_LIFE_MS
        for job_id, requested_ms in await redis.zrange(keys.ABORT, 0, -1, withscores=True):
            job = self._slots.get(job_id)
            if job is not None:
                if job.is_meant_by(requested_ms):
                    job.interrupt("abort")
            elif requested_ms < stale_before and not await redis.exists(keys.JOB.encode() + job_id):
                await redis.zrem(keys.ABORT, job_id)
