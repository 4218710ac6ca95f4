"""What `jobs show` shows of a job that Redis does not know any more."""

from worker.contract.job_ends import JobEnd, PastEnd
from worker.monitoring.job_facts import JobFacts
from worker.monitoring.shown_facts import Instant, shown_facts

END = JobEnd(
    "a", "step", "arq:queue", "dead", 2, 1_000, 2_000, 3_500, error="ValueError", reason="why", batch="load-7",
    hospital_id="cms:7",
)  # fmt: skip


def test_a_job_that_ended_before_its_start_by_the_clock_took_no_time() -> None:
    past = PastEnd(END._replace(started_ms=3_600_000), "w1", 4_000, "c1")
    shown = shown_facts(JobFacts(job_id="a", now_ms=9_000, queues=("arq:queue",), ends=(past,)), "failed")
    assert shown["run_s"] == 0


def test_every_end_of_a_job_is_shown_the_latest_with_all_its_facts() -> None:
    ends = PastEnd(END, "w2", 4_000, "c2"), PastEnd(END._replace(outcome="aborted", error=""), "w1", 3_000, "c1")
    facts = JobFacts(job_id="a", now_ms=9_000, queues=("arq:queue",), ends=ends)

    assert shown_facts(facts, "failed") == {
        "job_id": "a",
        "state": "failed",
        "function": "step",
        "queue": "arq:queue",
        "enqueued_at": Instant(1_000),
        "finished_at": Instant(3_500),
        "tries_spent": 2,
        "run_s": 1.5,
        "outcome": None,
        "error": "ValueError",
        "dead_reason": "why",
        "hospital": "cms:7",
        "batch": "load-7",
        "worker": "w2",
        "all_ends": [
            "1970-01-01T00:00:03.500+00:00: dead (ValueError), try 2, w2",
            "1970-01-01T00:00:03.500+00:00: aborted, try 2, w1",
        ],
    }
