"""The retry of one job, whatever it waits for."""

from redis.asyncio import Redis

from worker.contract.acting import Acting
from worker.contract.actions import ActionTarget
from worker.monitoring.explanation import ExplainedState, is_abort_asked
from worker.monitoring.job_facts import JobFacts
from worker.queue.actions import keep_action
from worker.queue.dead_letter_store import DeadLetterNotFound, DeadLetterStore
from worker.queue.run_now import run_now


def is_retriable(facts: JobFacts, state: ExplainedState) -> bool:
    """Whether a job is a dead letter with a payload, or waits for its next try."""
    if facts.dead_letter is not None:
        return facts.dead_letter.has_payload
    return state == "deferred" and facts.failure is not None and not is_abort_asked(facts)


async def retry_job(redis: "Redis[bytes]", facts: JobFacts, acting: Acting) -> bool:
    """Record the act, then put a dead letter back on its queue, or let the next try be due now.

    Returns whether the job was still as `facts` say; if not, nothing was done. Raises redis-py's errors, and what
    `worker.queue.actions.make_room` raises.
    """
    stored_id = facts.job_id.encode(errors="surrogateescape")
    shown_id = stored_id.decode(errors="backslashreplace")
    target: ActionTarget = "job" if facts.dead_letter is None else "dead letters"
    await keep_action(redis, acting.on("retry", target, [shown_id], result="asked for"))
    if facts.place is not None and facts.dead_letter is None:
        return await run_now(redis, stored_id, facts.place.queue)
    store = DeadLetterStore(redis)
    try:
        return await store.retry([await store.get(shown_id)]) == 1
    except DeadLetterNotFound:
        return False
