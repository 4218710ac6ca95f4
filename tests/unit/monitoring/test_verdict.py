from datetime import UTC, datetime
from typing import Any

import pytest

from worker.monitoring.verdict import verdict
from worker.queue.heartbeats import Heartbeat
from worker.queue.pauses import Pause
from worker.queue.stats import QueueState, QueueStats


def worker(age_s: float = 0, **values: Any) -> tuple[Heartbeat, float]:
    at = datetime(2026, 11, 28, tzinfo=UTC)
    given: dict[str, Any] = {
        "worker": "vm:1:a", "host": "vm", "pid": 1, "ready": True, "queues": ["q"], "slots": 1, "running": 0,
        "complete": 0, "retried": 0, "failed": 0, "started_at": at, "at": at,
    }  # fmt: skip
    return Heartbeat(**(given | values)), age_s


def stats(
    *workers: tuple[Heartbeat, float],
    dead: int = 0,
    waiting: int = 0,
    wait_s: float = 0,
    unknown: Any = (),
    pauses: Any = (),
) -> QueueStats:
    queues = {"q": QueueState(waiting, 0, 0, wait_s)}
    return QueueStats(queues, dead, list(workers), list(unknown), [], 0, list(pauses), NOW_MS)


NOW_MS = 1_795_826_412_000
NOT_READY = worker(ready=False, why_not="MongoDB is unavailable")


@pytest.mark.parametrize(
    ("state", "level", "sentence"),
    [
        (stats(worker()), "healthy", "Healthy: 1 worker is ready."),
        (stats(worker(), worker()), "healthy", "Healthy: 2 workers are ready."),
        (stats(), "down", "No jobs are done: no worker is running."),
        (stats(worker(9)), "down", "No jobs are done: no worker is running."),
        (stats(NOT_READY), "down", "No jobs are done: worker vm:1:a is not ready: MongoDB is unavailable."),
        (
            stats(NOT_READY, worker()),
            "attention",
            "Running, but look at this: worker vm:1:a is not ready: MongoDB is unavailable.",
        ),
        (
            stats(worker(), worker(9)),
            "attention",
            "Running, but look at this: 1 worker has no heartbeat and did not sign off.",
        ),
        (stats(worker(), wait_s=59), "healthy", "Healthy: 1 worker is ready."),
        (
            stats(worker(), wait_s=200),
            "attention",
            "Running, but look at this: a due job of q has waited for 3 min.",
        ),
        (stats(worker(), waiting=2), "healthy", "Healthy: 1 worker is ready."),
        (
            stats(worker(queues=["other"]), waiting=2, wait_s=200),
            "attention",
            "Running, but look at this: 2 due jobs are on q, which no worker serves.",
        ),
        (stats(worker(queues=["other"])), "healthy", "Healthy: 1 worker is ready."),
        (stats(waiting=2), "down", "No jobs are done: no worker is running."),
        (
            stats(worker(), unknown=["geocode"]),
            "attention",
            "Running, but look at this: no worker has the function geocode.",
        ),
        (
            stats(worker(), dead=2),
            "attention",
            "Running, but look at this: 2 dead letters wait for a decision.",
        ),
        (
            # That its jobs wait is what was meant.
            stats(worker(), wait_s=200, pauses=[Pause("queue", "q", NOW_MS - 34_000, "ann@vm", "a deploy")]),
            "attention",
            "Running, but look at this: the queue q is paused by ann@vm: a deploy.",
        ),
        (
            stats(worker(), wait_s=200, pauses=[Pause("function", "q")]),
            "attention",
            "Running, but look at this: the function q is paused.",
        ),
        (stats(dead=2), "down", "No jobs are done: no worker is running."),
    ],
)
def test_the_verdict_names_the_worst(state: QueueStats, level: str, sentence: str) -> None:
    found = verdict(state)

    assert (found.level, found.sentence) == (level, sentence)
    assert all(finding.to_do for finding in found.findings)


def test_a_paused_queue_does_not_hide_that_jobs_of_another_wait() -> None:
    state = stats(worker(), wait_s=200, pauses=[Pause("queue", "another")])

    found = [finding.what for finding in verdict(state).findings]

    assert found == ["the queue another is paused", "a due job of q has waited for 3 min"]


def test_that_jobs_of_a_paused_queue_wait_is_not_a_finding() -> None:
    state = stats(worker(), wait_s=200, pauses=[Pause("queue", "q")])

    assert [finding.what for finding in verdict(state).findings] == ["the queue q is paused"]


def test_a_worker_without_a_heartbeat_serves_no_queue() -> None:
    found = verdict(stats(worker(queues=["other"]), worker(9), waiting=1)).findings
    assert "1 due job is on q, which no worker serves" in [finding.what for finding in found]
