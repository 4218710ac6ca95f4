"""What happened to one job, in order, from what Redis and the history know."""

from datetime import UTC, datetime
from typing import Any

import pytest

from worker.contract.job_ends import JobEnd, PastEnd
from worker.monitoring.ended_job import EndedJob
from worker.monitoring.job_facts import JobFacts, Place
from worker.monitoring.timeline import timeline
from worker.queue.dead_letter import DeadLetter, Failure

END = JobEnd("a", "step", "arq:queue", "complete", 2, 1_000, 2_000, 3_500, status="created")
DEAD_END = END._replace(outcome="dead", status="", error="ValueError", tries=1, started_ms=1_200, ended_ms=1_300)
RESULT = EndedJob("step", "arq:queue", True, False, "", "created", 2, 1_000, 2_000, 3_500)
FAILURE = Failure(type="TransientError", message="a patient", tries=1, at_ms=1_500)
DEAD = DeadLetter(
    job_id="a", function="step", queue="arq:queue", reason="why", crashes=0, worker="w1",
    failure=Failure(type="ValueError", message="a patient", tries=3, at_ms=4_000),
    enqueued_at=datetime.fromtimestamp(1, UTC),
)  # fmt: skip


def past(end: JobEnd) -> PastEnd:
    return PastEnd(end, "w1", 4_000, "c")


@pytest.mark.parametrize(
    ("known", "ends", "moments"),
    [
        ({}, [], []),
        (
            {"enqueued_ms": 1_000, "failures": (FAILURE,), "place": Place("arq:queue", 9_500, 0, None)},
            [],
            [(1_000, "enqueued"), (1_500, "try 1 failed: TransientError"), (9_500, "due")],
        ),
        (
            {"enqueued_ms": 1_000, "place": Place("arq:queue", 8_000, 0, None), "abort_ms": 5_000.0},
            [],
            [(1_000, "enqueued"), (5_000, "an abort was asked for")],
        ),
        (
            {"enqueued_ms": 1_000, "place": Place("arq:queue", 9_900, 0, 9_900), "owner": "w2"},
            [],
            [(1_000, "enqueued"), (9_900, "its lease ends, unless worker w2 renews it")],
        ),
        (
            {"enqueued_ms": 1_000, "ended": RESULT},
            [],
            [(1_000, "enqueued"), (2_000, "try 2 began"), (3_500, "try 2 ended well (created)")],
        ),
        (
            {"enqueued_ms": 1_000, "ended": RESULT},
            [past(END)],
            [(1_000, "enqueued"), (2_000, "try 2 began on worker w1"), (3_500, "try 2 ended well (created)")],
        ),
        (
            {"dead_letter": DEAD, "dead_ms": 4_100.0, "failures": (FAILURE,), "ended": RESULT},
            [],
            [
                (1_000, "enqueued"),
                (1_500, "try 1 failed: TransientError"),
                (4_100, "try 3 failed: dead-lettered (ValueError)"),
            ],
        ),
        (
            {"dead_letter": DEAD, "dead_ms": 1_400.0},
            [past(DEAD_END)],
            [
                (1_000, "enqueued"),
                (1_200, "try 1 began on worker w1"),
                (1_300, "try 1 failed: dead-lettered (ValueError)"),
            ],
        ),
        # It was dead-lettered, retried, and then done; Redis has forgotten it.
        (
            {},
            [past(END._replace(enqueued_ms=1_800)), past(DEAD_END)],
            [
                (1_000, "enqueued"),
                (1_200, "try 1 began on worker w1"),
                (1_300, "try 1 failed: dead-lettered (ValueError)"),
                (1_800, "enqueued"),
                (2_000, "try 2 began on worker w1"),
                (3_500, "try 2 ended well (created)"),
            ],
        ),
        (
            {},
            [past(END._replace(outcome="aborted", status="", enqueued_ms=0))],
            [(2_000, "try 2 began on worker w1"), (3_500, "try 2 ended: aborted")],
        ),
    ],
)
def test_moments_are_in_order_and_none_is_there_twice(
    known: dict[str, Any], ends: list[PastEnd], moments: list[tuple[float, str]]
) -> None:
    found = timeline(JobFacts(job_id="a", now_ms=9_000, queues=("arq:queue",), **known), ends)

    assert found == moments
    assert "a patient" not in str(found)
