"""What explains a job of a queue that lies in memory, in the form that is read from Redis."""

from dataclasses import replace

from producers.testing.stored_jobs import StoredJob
from worker.monitoring.ended_job import EndedJob
from worker.monitoring.job_facts import JobFacts, Place

# As long as a worker's, so that a job that runs has one.
_LEASE_MS = 10_000


def with_facts_of(job: StoredJob, facts: JobFacts) -> JobFacts:
    """Return the facts with those of this job."""
    has_ended, enqueued_ms = job.view.is_over, job.message["et"]
    lease_ms = facts.now_ms + _LEASE_MS if job.view.state == "running" else None
    due_ms = lease_ms or enqueued_ms + job.enqueued.delay_ms
    return replace(
        facts,
        function=job.message["f"],
        enqueued_ms=enqueued_ms,
        payload="missing" if has_ended else "stored",
        payload_bytes=None if has_ended else len(job.enqueued.payload),
        place=None if has_ended else Place(job.enqueued.queue, due_ms, 0, lease_ms),
        owner="in memory" if lease_ms else None,
        is_held=bool(lease_ms),
        tries=job.view.tries,
        ended=EndedJob.of(job.view.result) if job.view.result is not None else None,
        dead_letter=job.view.dead_letter,
        dead_ms=job.view.dead_letter.failure.at_ms if job.view.dead_letter is not None else None,
    )
