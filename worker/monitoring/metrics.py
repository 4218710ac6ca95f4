"""The metrics of one worker: counted from the engine's events, and read from its last heartbeat."""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

from worker.monitoring.samples import Samples
from worker.monitoring.tallies import Tallies
from worker.queue.heartbeats import STALE_AFTER_S, Heartbeat
from worker.queue.histograms import BUCKETS, bucket_of

# A heartbeat is written about every second, and a scrape is made about every 15 s.
_DELAYS_KEPT = 15


class _Durations:
    """A histogram that is added to."""

    def __init__(self) -> None:
        self.buckets = [0] * BUCKETS
        self.total_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one more."""
        self.buckets[bucket_of(seconds)] += 1
        self.total_s += seconds


class WorkerMetrics:
    """Counts what happens in one worker.

    The methods named after events are their listeners; events are the engine's, which this does not import.
    `queue_slots` has the most jobs of each queue that it runs at once, `rate_limits` how many jobs of a queue all
    workers may start in a second. `heartbeat` returns the last heartbeat, `None` before the first.
    """

    def __init__(
        self,
        tallies: Tallies,
        queue_slots: Mapping[str, int],
        rate_limits: Mapping[str, float],
        heartbeat: Callable[[], Heartbeat | None],
    ) -> None:
        self._tallies = tallies
        self._queue_slots, self._rate_limits = queue_slots, rate_limits
        self._heartbeat = heartbeat
        self._counts: Counter[tuple[str, tuple[str, ...]]] = Counter()
        # They are there from the beginning, so that the first outage and the first such claim show as an increase.
        self._counts["hospital_redis_outages_total", ()] = 0
        for queue in rate_limits:
            self._counts["hospital_rate_limited_claims_total", (queue,)] = 0
        self._claims, self._groups = _Durations(), _Durations()
        self._delays: deque[float] = deque(maxlen=_DELAYS_KEPT)
        self._seen_at = 0.0
        self._seen: Heartbeat | None = None

    def claimed(self, event: Any) -> None:
        """Count a claim that was answered."""
        self._counts["hospital_claims_total", ("jobs" if event.jobs else "empty",)] += 1
        self._claims.add(event.seconds)
        for queue in event.held_back:
            self._counts["hospital_rate_limited_claims_total", (queue,)] += 1

    def claim_failed(self, _: Any) -> None:
        """Count a claim that failed."""
        self._counts["hospital_claims_total", ("failed",)] += 1

    def completions_stored(self, event: Any) -> None:
        """Count the completions of a group."""
        self._counts["hospital_completions_total", ("applied",)] += event.applied
        self._counts["hospital_completions_total", ("refused",)] += event.refused
        self._groups.add(event.seconds)

    def breaker_changed(self, event: Any) -> None:
        """Count a circuit breaker that opens; only the worker's own functions have one."""
        if event.is_open:
            self._counts["hospital_circuit_breaker_openings_total", (event.function or "all",)] += 1

    def redis_lost(self, _: Any) -> None:
        """Count an outage."""
        self._counts["hospital_redis_outages_total", ()] += 1

    def fault(self, action: str) -> Callable[[Any], None]:
        """Return the listener that counts what the log calls `action`."""
        # It is there from the beginning, so that the first fault shows as an increase.
        self._counts["hospital_worker_faults_total", (action,)] = 0

        def count(_: Any) -> None:
            self._counts["hospital_worker_faults_total", (action,)] += 1

        return count

    def note_delay(self, seconds: float) -> None:
        """Take by how much the event loop was late since the last heartbeat."""
        self._delays.append(seconds)

    def samples(self) -> Samples:
        """Return the values now."""
        samples = Samples()
        for (function, queue, outcome), tally in self._tallies.by_outcome().items():
            samples.set("hospital_job_tries_total", tally.count, queue, function, outcome)
        for (function, error), count in self._tallies.errors.items():
            samples.set("hospital_job_errors_total", count, function, error)
        for key, tally in self._tallies.timed().items():
            samples.observe("hospital_job_pickup_seconds", tally.pickup, tally.pickup_s, *key)
            samples.observe("hospital_job_run_seconds", tally.run, tally.run_s, *key)
        # A copy: some events are sent from other threads.
        for (name, labels), count in list(self._counts.items()):
            samples.set(name, count, *labels)
        samples.observe("hospital_claim_seconds", self._claims.buckets, self._claims.total_s)
        samples.observe("hospital_completion_seconds", self._groups.buckets, self._groups.total_s)
        self._describe_worker(samples)
        return samples

    def _describe_worker(self, samples: Samples) -> None:
        heartbeat = self._heartbeat()
        if heartbeat is not self._seen:
            self._seen, self._seen_at = heartbeat, time.monotonic()
        samples.set("hospital_workers", 1)
        samples.set("hospital_worker_event_loop_delay_seconds", max(self._delays, default=0.0))
        for queue, slots in self._queue_slots.items():
            samples.set("hospital_worker_queue_slots", slots, queue)
        for queue, rate in self._rate_limits.items():
            samples.set("hospital_queue_rate_limit", rate, queue)
        if heartbeat is None:
            samples.set("hospital_workers_ready", 0)
            return
        # No heartbeat is made while Redis is unavailable.
        fresh = time.monotonic() - self._seen_at <= STALE_AFTER_S
        samples.set("hospital_workers_ready", int(heartbeat.ready and fresh))
        samples.set("hospital_worker_slots", heartbeat.slots)
        samples.set("hospital_worker_running_jobs", heartbeat.running)
        samples.set("hospital_worker_ignoring_jobs", heartbeat.ignoring)
        samples.set("hospital_worker_held_functions", len(heartbeat.held))
        for name, value in (
            ("hospital_mongodb_connections", heartbeat.mongodb_connections),
            ("hospital_mongodb_pool", heartbeat.mongodb_pool),
            ("hospital_redis_connections", heartbeat.redis_connections),
            ("hospital_redis_pool", heartbeat.redis_pool),
        ):
            if value is not None:
                samples.set(name, value)
