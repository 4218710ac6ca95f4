"""The request to abort a job, for the command and the page."""

from redis.asyncio import Redis

from worker.monitoring.explanation import ExplainedState
from worker.monitoring.job_facts import JobFacts
from worker.queue.abort_requests import make_due, request_abort

NOT_ENDED: frozenset[ExplainedState] = frozenset({"queued", "deferred", "running"})
"""The states of a job that can still be aborted."""


async def ask_for_abort(redis: "Redis[bytes]", facts: JobFacts, state: ExplainedState) -> None:
    """Ask the workers to abort the job of `facts`; a deferred one is made due, so that it ends now.

    Raises redis-py's errors.
    """
    stored_id = facts.job_id.encode(errors="surrogateescape")
    await request_abort(redis, stored_id)
    if facts.place is not None and state == "deferred":
        await make_due(redis, stored_id, facts.place.queue, facts.now_ms)
