"""Whether the queue is healthy, in words: a pure function over what Redis knows (`verdict`)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, NamedTuple

from worker.monitoring.explanation import count
from worker.monitoring.pause_words import paused_since
from worker.monitoring.times import duration
from worker.queue.heartbeats import STALE_AFTER_S
from worker.queue.stats import QueueStats

Level = Literal["healthy", "attention", "down"]

LONG_WAIT_S = 60.0
"""A due job that waits for longer is worth a look."""
_MOST_NAMED = 5


class Finding(NamedTuple):
    """Something that is not as it should be, and what to do about it."""

    level: Level
    what: str
    to_do: str


class Verdict(NamedTuple):
    """The state of the whole in one sentence, and the findings behind it, the worst first."""

    level: Level
    sentence: str
    findings: list[Finding]


def verdict(stats: QueueStats) -> Verdict:
    """Return the verdict on the state of the queues, the workers and the dead letters."""
    findings = [*_of_workers(stats), *_of_queues(stats)]
    findings.sort(key=lambda finding: finding.level != "down")
    ready = sum(worker.ready and age_s <= STALE_AFTER_S for worker, age_s in stats.workers)
    if not findings:
        return Verdict("healthy", f"Healthy: {count(ready, 'worker is', 'workers are')} ready.", [])
    if findings[0].level == "down":
        return Verdict("down", f"No jobs are done: {findings[0].what}.", findings)
    return Verdict("attention", f"Running, but look at this: {findings[0].what}.", findings)


def _of_workers(stats: QueueStats) -> Iterator[Finding]:
    heard = [(worker, age_s) for worker, age_s in stats.workers if age_s <= STALE_AFTER_S]
    ready = [worker for worker, _ in heard if worker.ready]
    if not heard:
        yield Finding("down", "no worker is running", "start one: arq worker.main.WorkerSettings")
    for worker, age_s in [(worker, age_s) for worker, age_s in heard if not worker.ready][:_MOST_NAMED]:
        level: Level = "attention" if ready else "down"
        yield Finding(
            level, f"worker {worker.worker} is {worker.state(age_s)}", "see First look in docs/operations.md"
        )
    silent = len(stats.workers) - len(heard)
    if heard and silent:
        silence = count(silent, "worker has no heartbeat", "workers have no heartbeat")
        yield Finding("attention", f"{silence} and did not sign off", "look at their processes and their logs")


def _of_queues(stats: QueueStats) -> Iterator[Finding]:
    for pause in stats.pauses[:_MOST_NAMED]:
        # Without the time: how long ago that was changes with each look, and would be read out again and again.
        words = paused_since(replace(pause, since_ms=0), stats.now_ms)
        what = f"the {pause.kind} {pause.name} is {words}"
        yield Finding("attention", what, "resume it when it is time, on the page of the queues")
    paused = {pause.name for pause in stats.pauses if pause.kind == "queue"}
    heard = [worker for worker, age_s in stats.workers if age_s <= STALE_AFTER_S]
    served = {name for worker in heard for name in worker.queues}
    for name, queue in stats.queues.items():
        if heard and queue.waiting and name not in served:
            yield Finding(
                "attention",
                f"{count(queue.waiting, 'due job is', 'due jobs are')} on {name}, which no worker serves",
                "name that queue in WORKER_QUEUES of the workers",
            )
        elif queue.oldest_wait_s >= LONG_WAIT_S and name not in paused:
            yield Finding(
                "attention",
                f"a due job of {name} has waited for {duration(queue.oldest_wait_s)}",
                "start more workers, or look why the ones that run are slow",
            )
    for name in stats.unreadable_queues[:_MOST_NAMED]:
        yield Finding(
            "attention",
            f"nothing is known of {name}, which workers serve: the page's user may not read it in Redis",
            "allow that user to read it (docs/security.md)",
        )
    for function in stats.unknown_functions[:_MOST_NAMED]:
        yield Finding(
            "attention", f"no worker has the function {function}", "deploy a worker that has it, or abort its jobs"
        )
    if stats.dead:
        yield Finding(
            "attention",
            f"{count(stats.dead, 'dead letter waits', 'dead letters wait')} for a decision",
            "see the page of the dead letters: retry or discard them",
        )
