"""The metrics: the one table of their names, types, labels and meanings. docs/metrics.md repeats it."""

from typing import Literal, NamedTuple

Kind = Literal["counter", "gauge", "histogram"]


class Metric(NamedTuple):
    """One metric. A counter's name ends with `_total`.

    `merge` says what `hospital-worker run` shows of its processes: their sum or the greatest of them. Facts of the
    queues are the same whoever reads them.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    merge: Literal["sum", "greatest", "fact"] = "sum"


METRICS = (
    Metric(
        "hospital_job_tries_total",
        "counter",
        ("queue", "function", "outcome"),
        "tries that ended, by outcome: complete, dead, aborted end the job",
    ),
    Metric(
        "hospital_job_errors_total",
        "counter",
        ("function", "error"),
        "tries that ended with an error, by its class",
    ),
    Metric(
        "hospital_job_pickup_seconds",
        "histogram",
        ("queue", "function"),
        "from due to started, of jobs that were run",
    ),
    Metric("hospital_job_run_seconds", "histogram", ("queue", "function"), "from started to ended"),
    Metric("hospital_claims_total", "counter", ("outcome",), "claims: jobs, empty or failed"),
    Metric(
        "hospital_rate_limited_claims_total",
        "counter",
        ("queue",),
        "claims that left due jobs of the queue there, because `QUEUE_RATES` let no more start",
    ),
    Metric("hospital_claim_seconds", "histogram", (), "one claim, whether it found jobs or not"),
    Metric("hospital_completions_total", "counter", ("outcome",), "completions: applied, or refused as too late"),
    Metric("hospital_completion_seconds", "histogram", (), "storing one group of completions"),
    Metric(
        "hospital_circuit_breaker_openings_total",
        "counter",
        ("function",),
        "openings of the circuit breaker of a function, or of all",
    ),
    Metric("hospital_redis_outages_total", "counter", (), "times that Redis became unavailable to a worker"),
    Metric(
        "hospital_worker_faults_total",
        "counter",
        ("error",),
        "what docs/operations.md lists as an alarm in the log, by its action",
    ),
    Metric("hospital_workers", "gauge", (), "worker processes"),
    Metric("hospital_workers_ready", "gauge", (), "worker processes that are ready"),
    Metric("hospital_worker_slots", "gauge", (), "jobs that may run at once"),
    Metric("hospital_worker_queue_slots", "gauge", ("queue",), "jobs of the queue that may run at once"),
    Metric("hospital_worker_running_jobs", "gauge", (), "jobs that hold a slot"),
    Metric("hospital_worker_ignoring_jobs", "gauge", (), "running jobs that were cancelled long ago"),
    Metric("hospital_worker_held_functions", "gauge", (), "functions whose circuit breaker is open", "greatest"),
    Metric(
        "hospital_worker_event_loop_delay_seconds",
        "gauge",
        (),
        "by how much the event loop was late at most in the last 15 s",
        "greatest",
    ),
    Metric("hospital_mongodb_connections", "gauge", (), "connections to MongoDB in use"),
    Metric("hospital_mongodb_pool", "gauge", (), "connections to each server of MongoDB that may be used"),
    Metric("hospital_redis_connections", "gauge", (), "connections to Redis in use"),
    Metric("hospital_redis_pool", "gauge", (), "connections to Redis that may be used"),
    Metric(
        "hospital_queue_rate_limit",
        "gauge",
        ("queue",),
        "jobs of the queue that all workers together may start in a second; missing without a limit",
        "greatest",
    ),
    Metric(
        "hospital_queue_facts_read",
        "gauge",
        (),
        "1 if Redis said in time what follows; otherwise 0, and what follows is missing",
        "fact",
    ),
    Metric("hospital_queue_jobs", "gauge", ("queue",), "all jobs on the queue: `ZCARD`", "fact"),
    Metric("hospital_queue_due_jobs", "gauge", ("queue",), "jobs that are due and wait for a worker", "fact"),
    Metric("hospital_queue_deferred_jobs", "gauge", ("queue",), "jobs that are due later", "fact"),
    Metric("hospital_queue_in_flight_jobs", "gauge", ("queue",), "jobs under a lease", "fact"),
    Metric(
        "hospital_queue_oldest_due_age_seconds",
        "gauge",
        ("queue",),
        "for how long the oldest due job has waited; 0 if none waits",
        "fact",
    ),
    Metric("hospital_dead_letters", "gauge", (), "dead letters", "fact"),
    Metric(
        "hospital_outbox_jobs",
        "gauge",
        (),
        "jobs in the outbox: committed, and not known to have ended",
        "greatest",
    ),
    Metric(
        "hospital_outbox_oldest_due_age_seconds",
        "gauge",
        (),
        "for how long the oldest due job has been in the outbox; 0 if none is",
        "greatest",
    ),
    Metric("hospital_batches", "gauge", (), "batches that have not ended", "fact"),
)

BY_NAME = {metric.name: metric for metric in METRICS}


def metrics_table() -> str:
    """Return the metrics as a Markdown table."""
    rows = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} |")
    return "\n".join(rows) + "\n"
