"""Each rule with its exact sentence; tests/integration/monitoring plants the same cases in a real Redis."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from worker.contract.job_ends import JobEnd, PastEnd
from worker.monitoring.ended_job import EndedJob
from worker.monitoring.explain import explain
from worker.monitoring.job_facts import JobBatch, JobFacts, Place
from worker.queue.batches import BatchProgress
from worker.queue.dead_letter import DeadLetter, Failure
from worker.queue.heartbeats import Heartbeat
from worker.queue.pauses import Pause

NOW = datetime(2026, 11, 28, 0, 40, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
QUEUE = "arq:queue"
W1 = "vm:8903:e6a774"
NONE = Place(QUEUE, 0, 0, None)


def heartbeat(worker: str = W1, **values: Any) -> Heartbeat:
    given = {
        "worker": worker, "host": "vm", "pid": 8903, "ready": True, "queues": [QUEUE], "slots": 300, "running": 0,
        "complete": 0, "retried": 0, "failed": 0, "started_at": NOW - timedelta(hours=1), "at": NOW,
    }  # fmt: skip
    return Heartbeat(**{**given, **values})


def unready(why_not: str, **values: Any) -> Heartbeat:
    return heartbeat(ready=False, why_not=why_not, **values)


def heard(*workers: Heartbeat, age_s: float = 0.5) -> tuple[tuple[Heartbeat, float], ...]:
    return tuple((worker, age_s) for worker in workers)


def due(seconds: float = -3, *, ahead: int = 0) -> Place:
    return Place(QUEUE, NOW_MS + seconds * 1000, ahead, None)


def leased(seconds: float) -> Place:
    return Place(QUEUE, NOW_MS + seconds * 1000, 0, NOW_MS + seconds * 1000)


def facts(**values: Any) -> JobFacts:
    given = {
        "job_id": "ingest_hospital:42",
        "now_ms": NOW_MS,
        "queues": (QUEUE, "arq:queue:bulk"),
        "function": "ingest_hospital",
        "payload": "stored",
        "workers": heard(heartbeat()),
    }
    return JobFacts(**{**given, **values})


def ago(seconds: float) -> int:
    return NOW_MS - int(seconds * 1000)


def failure(kind: str = "TransientError", tries: int = 2, seconds: float = 20) -> Failure:
    return Failure(type=kind, message="names a patient", tries=tries, at_ms=ago(seconds))


def dead_letter(**values: Any) -> DeadLetter:
    given = {
        "job_id": "j", "function": "ingest_hospital", "queue": QUEUE, "payload_bytes": 90, "worker": W1,
        "reason": "permanent error", "failure": failure("InvalidPayload", 1, 7_200), "crashes": 0,
    }  # fmt: skip
    return DeadLetter(**{**given, **values})


THE_HISTORY_REACHES = "the history reaches (WORKER_HISTORY_DAYS)"


def past(**values: Any) -> tuple[PastEnd, ...]:
    given: dict[str, Any] = {
        "job_id": "ingest_hospital:42", "function": "ingest_hospital", "queue": QUEUE, "outcome": "complete",
        "tries": 2, "enqueued_ms": 1, "started_ms": 2, "ended_ms": ago(60), "status": "created",
    }  # fmt: skip
    return (PastEnd(JobEnd(**{**given, **values}), W1, ago(59), "cursor"),)


def since(reason: str, seconds: float) -> dict[str, datetime]:
    return {reason: NOW - timedelta(seconds=seconds)}


ENDED = EndedJob("ingest_hospital", QUEUE, True, False, "", "created", 1, ago(62), ago(61), ago(60))


def batch(state: Any, outcome: Any = None) -> JobBatch:
    return JobBatch(BatchProgress(batch_id="load-7", state=state, total=1, created_at=NOW), outcome)


HELD = "register_hospital: MongoDB refuses an operation"
SLOW = "geocode: geocoder is unavailable"
OUT = "MongoDB is unavailable"
TWO_READY = "waits behind 7 due jobs of arq:queue: 2 ready workers, 0 of 600 slots busy"
LACKED = "waits for a worker that has the function 'geocode': none that serves arq:queue"
BREAKER_OPEN = "the circuit breaker of geocode is open"
NEWER, OLDER = heartbeat("w2", functions=["geocode"]), heartbeat(functions=["other"])
HOUR_AGO = "2026-11-27 23:40:12 UTC (60 min ago)"
MINUTE_AGO = "2026-11-28 00:39:12 UTC (60 s ago)"
MOMENT_AGO = "2026-11-28 00:40:09 UTC (3 s ago)"
IN_8_S = "2026-11-28 00:40:20 UTC (in 8 s)"
LEASED = f"is leased by worker {W1} (host vm, pid 8903) until {IN_8_S}"
LEASED_W9 = f"is leased by worker w9 until {IN_8_S}"

CASES: dict[str, tuple[JobFacts, str, str]] = {
    "waiting": (
        facts(place=due(ahead=1_204), workers=heard(heartbeat(running=300), heartbeat("w2", running=12))),
        "queued",
        "waits behind 1,204 due jobs of arq:queue: 2 ready workers, 312 of 600 slots busy",
    ),
    "waiting for a rate": (
        facts(place=due(ahead=7), workers=heard(heartbeat(rate_limits={QUEUE: 2.5}), heartbeat("w2"))),
        "queued",
        f"{TWO_READY}; at most 2.5 of its jobs start in a second (QUEUE_RATES)",
    ),
    "waiting behind one": (
        facts(place=due(ahead=1)),
        "queued",
        "waits behind 1 due job of arq:queue: 1 ready worker, 0 of 300 slots busy",
    ),
    "queue paused": (
        facts(place=due(), workers=(), pauses=(Pause("queue", QUEUE, ago(60), "ops@vm", "a deploy"),)),
        "queued",
        f"waits, because its queue is paused since {MINUTE_AGO} by ops@vm: a deploy",
    ),
    "queue paused by another program": (
        facts(place=due(), pauses=(Pause("queue", QUEUE),)),
        "queued",
        "waits, because its queue is paused",
    ),
    "another queue and function paused": (
        facts(place=due(ahead=1), pauses=(Pause("queue", "other"), Pause("function", "other"))),
        "queued",
        "waits behind 1 due job of arq:queue: 1 ready worker, 0 of 300 slots busy",
    ),
    "function paused": (
        facts(place=due(), function="geocode", pauses=(Pause("function", "geocode", ago(60), "ops@vm"),)),
        "queued",
        f"waits, because its function geocode is paused since {MINUTE_AGO} by ops@vm",
    ),
    "put aside, its function being paused": (
        facts(place=due(8), function="geocode", pauses=(Pause("function", "geocode", ago(60), "ops@vm"),)),
        "deferred",
        f"waits, because its function geocode is paused since {MINUTE_AGO} by ops@vm",
    ),
    "retried on a paused queue": (
        facts(place=due(8), failures=(failure(seconds=3),), pauses=(Pause("queue", QUEUE, ago(60), "ops@vm"),)),
        "deferred",
        f"is deferred until {IN_8_S}, and its queue is paused since {MINUTE_AGO} by ops@vm",
    ),
    "aborted on a paused queue": (
        facts(place=due(), abort_ms=ago(3), pauses=(Pause("queue", QUEUE, ago(60), "ops@vm"),)),
        "queued",
        (
            f"is to be aborted, as asked {MOMENT_AGO}; no worker takes it, because its queue is paused since "
            f"{MINUTE_AGO} by ops@vm"
        ),
    ),
    "scheduled": (
        facts(place=due(7 * 86_400), workers=()),
        "deferred",
        "is deferred until 2026-12-05 00:40:12 UTC (in 7 days), as scheduled",
    ),
    "retried": (
        facts(place=due(8), failures=(failure(seconds=3),), tries=2),
        "deferred",
        f"is deferred until {IN_8_S}: try 2 ended {MOMENT_AGO} with TransientError",
    ),
    "running": (
        facts(place=leased(8), owner=W1, is_held=True, enqueued_ms=ago(34)),
        "running",
        f"{LEASED}, running for at most 34 s",
    ),
    "running in a worker that is younger than the job": (
        facts(place=leased(8), owner=W1, is_held=True, enqueued_ms=ago(900_000)),
        "running",
        f"{LEASED}, running for at most 60 min",
    ),
    "running since a retry": (
        facts(place=leased(8), owner=W1, is_held=True, enqueued_ms=ago(900), failures=(failure(),)),
        "running",
        f"{LEASED}, running for at most 20 s",
    ),
    "running while MongoDB is unavailable": (
        facts(place=leased(8), owner=W1, is_held=True, workers=heard(unready(OUT))),
        "running",
        f"{LEASED}, running for at most 60 min; that worker: not ready: MongoDB is unavailable",
    ),
    "running in a worker that is silent": (
        facts(place=leased(8), owner=W1, is_held=True, workers=heard(heartbeat(), age_s=9)),
        "running",
        f"{LEASED}, running for at most 60 min; that worker: no heartbeat for 9 s",
    ),
    "running alone": (
        facts(place=leased(8), owner="w9", is_held=True, crashes=2),
        "running",
        f"{LEASED_W9}; it runs alone, because 2 leases of it were lost",
    ),
    "running, to be aborted": (
        facts(place=leased(8), owner="w9", is_held=True, abort_ms=ago(3)),
        "running",
        f"is to be aborted, as asked {MOMENT_AGO}; it {LEASED_W9}",
    ),
    "run by arq's own worker": (
        facts(place=due(), is_held=True),
        "running",
        "is run by a worker of arq's own, which holds no lease",
    ),
    "lease lapsed": (
        facts(place=leased(-3), owner=W1),
        "queued",
        f"was leased by worker {W1}, whose lease ended {MOMENT_AGO} and was not renewed",
    ),
    "lease lapsed, and no worker is left": (
        facts(place=leased(-3), owner=W1, workers=heard(heartbeat(), age_s=9)),
        "queued",
        f"was leased by worker {W1}, whose lease ended {MOMENT_AGO} and was not renewed",
    ),
    "batch cancelled": (
        facts(place=due(), batch=batch("cancelling")),
        "queued",
        "is to be dropped, because its batch load-7 was cancelled",
    ),
    "abort asked": (
        facts(place=due(60), abort_ms=ago(3), enqueued_ms=ago(60)),
        "deferred",
        f"is to be aborted, as asked {MOMENT_AGO}; no worker runs it now",
    ),
    "abort of an earlier job": (
        facts(place=due(60), abort_ms=ago(60), enqueued_ms=ago(3)),
        "deferred",
        "is deferred until 2026-11-28 00:41:12 UTC (in 60 s), as scheduled",
    ),
    "payload expired": (
        facts(place=due(), payload="missing"),
        "queued",
        "is queued without a payload: that has expired, as arq's own producers let it, or was deleted",
    ),
    "payload of another type": (
        facts(place=due(), payload="foreign"),
        "queued",
        "is queued, but another program has written a value of another type to its key",
    ),
    "no worker": (
        facts(place=due(), workers=()),
        "queued",
        "waits for a worker: none serves arq:queue",
    ),
    "no worker of its queue": (
        facts(place=due(), workers=heard(heartbeat(queues=["arq:queue:bulk"]))),
        "queued",
        "waits for a worker: none serves arq:queue",
    ),
    "silent workers": (
        facts(place=due(), workers=heard(heartbeat(), age_s=34)),
        "queued",
        "waits for a worker: none serves arq:queue; the last heartbeat of one is 34 s old",
    ),
    "none ready": (
        facts(place=due(), workers=heard(unready("stopping"), unready(OUT, worker="w2"))),
        "queued",
        "waits for a ready worker: 2 workers serve arq:queue, not ready: stopping; MongoDB is unavailable",
    ),
    "MongoDB unavailable": (
        facts(place=due(0.9), workers=heard(unready(OUT, held=[f"ingest_hospital: {OUT}"]), unready(OUT))),
        "queued",
        "waits for MongoDB, which is unavailable to the 2 workers of arq:queue",
    ),
    "MongoDB unavailable for a while": (
        facts(place=due(), workers=heard(unready(OUT, since=since(OUT, 3)), unready(OUT, since=since(OUT, 60)))),
        "queued",
        f"waits for MongoDB, which is unavailable to the 2 workers of arq:queue since {MINUTE_AGO}",
    ),
    "none ready for a while": (
        facts(place=due(), workers=heard(unready("stopping", since=since("stopping", 3)), unready(OUT))),
        "queued",
        f"waits for a ready worker: 2 workers serve arq:queue, not ready: stopping since {MOMENT_AGO}; {OUT}",
    ),
    "function held for a while": (
        facts(place=due(), function="geocode", workers=heard(heartbeat(held=[SLOW], since=since(SLOW, 60)))),
        "queued",
        f"waits, because the circuit breaker of geocode is open: geocoder is unavailable since {MINUTE_AGO}",
    ),
    "function unknown": (
        facts(place=due(4), function="geocode", unknown_ms=ago(3)),
        "deferred",
        f"{LACKED} had it, as of {MOMENT_AGO}",
    ),
    "function that no worker has": (
        facts(place=due(4), function="geocode", workers=heard(OLDER, OLDER)),
        "deferred",
        f"{LACKED} has it",
    ),
    "one of very many of a function that no worker has": (
        facts(place=due(290), function="geocode", unknown_ms=ago(3), workers=heard(OLDER, OLDER)),
        "deferred",
        f"{LACKED} has it",
    ),
    "retried, and no worker has its function any more": (
        facts(
            place=due(200), function="geocode", unknown_ms=ago(3), workers=heard(OLDER),
            failures=(failure(seconds=3),),
        ),
        "deferred",
        f"is deferred until 2026-11-28 00:43:32 UTC (in 3 min): try 2 ended {MOMENT_AGO} with TransientError",
    ),
    "deferred by its producer, and no worker has its function": (
        facts(place=due(200), function="geocode", workers=heard(OLDER)),
        "deferred",
        "is deferred until 2026-11-28 00:43:32 UTC (in 3 min), as scheduled",
    ),
    "function that a worker of two has": (
        facts(place=due(4), function="geocode", unknown_ms=ago(3), workers=heard(NEWER, OLDER)),
        "deferred",
        "is deferred until 2026-11-28 00:40:16 UTC (in 4 s), because 1 of 2 workers lack the function 'geocode'",
    ),
    "function that a worker of two has, due": (
        facts(place=due(), function="geocode", unknown_ms=ago(3), workers=heard(NEWER, OLDER)),
        "queued",
        "waits behind 0 due jobs of arq:queue: 2 ready workers, 0 of 600 slots busy",
    ),
    "retried while one worker of two lacks the function": (
        facts(
            place=due(4), function="geocode", unknown_ms=ago(3), workers=heard(NEWER, OLDER),
            failures=(failure(seconds=3),),
        ),
        "deferred",
        f"is deferred until 2026-11-28 00:40:16 UTC (in 4 s): try 2 ended {MOMENT_AGO} with TransientError",
    ),
    "function known since": (
        facts(place=due(), function="geocode", unknown_ms=ago(61)),
        "queued",
        "waits behind 0 due jobs of arq:queue: 1 ready worker, 0 of 300 slots busy",
    ),
    "function held": (
        facts(place=due(200), function="register_hospital", workers=heard(heartbeat(held=[HELD]))),
        "deferred",
        "waits, because the circuit breaker of register_hospital is open: MongoDB refuses an operation",
    ),
    "function held, and the worker is unready for it": (
        facts(place=due(), function="register_hospital", workers=heard(unready(HELD, held=[HELD]))),
        "queued",
        "waits, because the circuit breaker of register_hospital is open: MongoDB refuses an operation",
    ),
    "function held by one worker of two": (
        facts(place=due(), function="register_hospital", workers=heard(heartbeat(held=[HELD]), heartbeat("w2"))),
        "queued",
        "waits behind 0 due jobs of arq:queue: 2 ready workers, 0 of 600 slots busy",
    ),
    "put aside by one worker of two": (
        facts(place=due(8), function="geocode", workers=heard(heartbeat(held=[SLOW]), heartbeat())),
        "deferred",
        f"is deferred until {IN_8_S}, because {BREAKER_OPEN} in 1 of 2 workers: geocoder is unavailable",
    ),
    "retried while one worker of two holds the function": (
        facts(
            place=due(8), function="geocode", workers=heard(heartbeat(held=[SLOW]), heartbeat()),
            failures=(failure(seconds=3),),
        ),
        "deferred",
        f"is deferred until {IN_8_S}: try 2 ended {MOMENT_AGO} with TransientError",
    ),
    "suspected": (
        facts(place=due(0.4), crashes=2),
        "queued",
        "is suspected of ending its workers, because 2 leases of it were lost: it waits to run alone",
    ),
    "dead": (
        facts(dead_letter=dead_letter(), dead_ms=ago(3_600), place=None, payload="missing"),
        "dead",
        f"was dead-lettered {HOUR_AGO} after 1 try: permanent error (InvalidPayload)",
    ),
    "finished": (
        facts(ended=ENDED, payload="missing"),
        "done",
        f"finished {MINUTE_AGO} after 1 try with the outcome created",
    ),
    "finished without an outcome": (
        facts(ended=replace(ENDED, status="", tries=3), payload="missing"),
        "done",
        f"finished {MINUTE_AGO} after 3 tries",
    ),
    "aborted": (
        facts(ended=replace(ENDED, success=False, aborted=True, error="CancelledError"), payload="missing"),
        "aborted",
        f"was aborted {MINUTE_AGO}",
    ),
    "failed": (
        facts(ended=replace(ENDED, success=False, error="ValueError"), payload="missing"),
        "failed",
        f"failed {MINUTE_AGO} after 1 try (ValueError); no dead letter of it is kept",
    ),
    "result not readable": (
        facts(unreadable="its result is not accepted: not a JSON envelope", payload="missing"),
        "ended",
        "has a result that is not readable: its result is not accepted: not a JSON envelope",
    ),
    "finished, as the history says": (
        facts(ends=past(), payload="missing"),
        "done",
        f"finished {MINUTE_AGO} after 2 tries with the outcome created",
    ),
    "dead letter discarded": (
        facts(ends=past(outcome="dead", error="InvalidPayload", reason="why"), payload="missing"),
        "failed",
        f"was dead-lettered {MINUTE_AGO} after 2 tries: why (InvalidPayload); no dead letter of it is kept",
    ),
    "aborted, as the history says": (
        facts(ends=past(outcome="aborted"), payload="missing"),
        "aborted",
        f"was aborted {MINUTE_AGO}",
    ),
    "ended in a way of a later version": (
        facts(ends=past(outcome="expired"), payload="missing"),
        "ended",
        f"ended {MINUTE_AGO} (expired)",
    ),
    "ended several times": (
        facts(ends=past(status="") * 3, job_id="it", payload="missing", batch=batch("finished", "complete")),
        "done",
        f"finished {MINUTE_AGO} after 2 tries; 2 earlier ends of this id (hospital-worker jobs show it)",
    ),
    "not in the history": (
        facts(payload="missing", has_history=True),
        "unknown",
        f"is not known: it was never enqueued, or it ended longer ago than {THE_HISTORY_REACHES}",
    ),
    "never seen": (
        facts(payload="missing"),
        "unknown",
        "is not known: it was never enqueued, or it ended longer ago than results are kept (WORKER_KEEP_RESULT)",
    ),
    "perhaps in the outbox": (
        facts(payload="missing", job_id="ingest_hospital:outbox:x"),
        "unknown",
        (
            "is not known: it was never enqueued, or it waits in the outbox, "
            "or it ended longer ago than results are kept (WORKER_KEEP_RESULT)"
        ),
    ),
    "on no queue": (
        facts(),
        "queued",
        "has a payload, but is on none of the queues arq:queue, arq:queue:bulk: no worker takes it",
    ),
    "dropped": (
        facts(payload="missing", batch=batch("cancelled", "dropped")),
        "dropped",
        "was dropped, because its batch load-7 was cancelled",
    ),
    "lost": (
        facts(payload="missing", batch=batch("finished", "lost")),
        "lost",
        "has left no trace but in its batch load-7: its keys were deleted before it ended",
    ),
    "ended in its batch": (
        facts(payload="missing", batch=batch("finished", "complete")),
        "done",
        "has ended (complete), as its batch load-7 says; its result is not kept any more",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_case_has_its_state_and_its_sentence(case: str) -> None:
    given, state, reason = CASES[case]
    explanation = explain(given)
    assert (explanation.state, explanation.reason) == (state, reason)
    assert explanation.change


@pytest.mark.parametrize("case", CASES)
def test_no_explanation_repeats_the_message_of_an_error(case: str) -> None:
    assert "patient" not in " ".join(explain(CASES[case][0]))


CHANGES = {
    "queue paused": "resume it: hospital-worker resume arq:queue",
    "function paused": "resume it: hospital-worker resume --function geocode",
    "aborted on a paused queue": "a worker ends it without running it after: hospital-worker resume arq:queue",
    "waiting": "a worker takes it when it has taken those before it; more workers take them sooner",
    "waiting for a rate": "a worker takes it when that rate has let those before it start",
    "no worker": "start a worker that serves arq:queue (WORKER_QUEUES)",
    "MongoDB unavailable": "it runs when MongoDB is back; waiting for that costs no try",
    "function unknown": "start a worker of a version that has it; until then the job is retried and spends no try",
    "lease lapsed": "the next worker that claims from arq:queue takes it again, and counts a lost lease",
    "lease lapsed, and no worker is left": (
        "start a worker that serves arq:queue: none does; it takes the job again"
    ),
    "dead": (
        "fix the cause (hospital-worker dead show ingest_hospital:42), then: "
        "hospital-worker dead retry ingest_hospital:42"
    ),
    "payload expired": f"the worker that takes it makes it a dead letter; it is due {MOMENT_AGO}",
    "scheduled": "nothing: a worker takes it then",
    "retried": "a worker takes it then; to run it now: hospital-worker jobs retry ingest_hospital:42",
}


@pytest.mark.parametrize("case", CHANGES)
def test_each_explanation_says_what_would_change_it(case: str) -> None:
    assert explain(CASES[case][0]).change == CHANGES[case]


def test_a_dead_letter_without_a_payload_cannot_be_retried() -> None:
    found = explain(facts(job_id="a b", dead_letter=dead_letter(payload_bytes=0)))
    assert found.reason.startswith("was dead-lettered 2026-11-27 22:40:12 UTC (2 h ago)")
    assert found.change == "it cannot be retried, having no payload; hospital-worker dead discard 'a b' deletes it"
