"""Whether a worker is ready for more work, judged by what it has done lately. If not, it says why in words.

Judged once per heartbeat; nothing here is called for single jobs.
"""

import time
from collections.abc import Callable, Collection, Mapping

from worker.engine.blocked_slots import BlockedSlots
from worker.engine.context import EngineContext
from worker.engine.events import Claimed, ClaimFailed, ReadinessChanged
from worker.engine.options import JobOptions
from worker.engine.running_job import RunningJob
from worker.engine.slots import Slots
from worker.queue.key_types import foreign_keys

_CLAIM_WITHIN_S = 5.0
_STORED_WITHIN_S = 5.0
# A job that has reached its timeout may clean up, and its completion is stored.
_END_WITHIN_S = 5.0


class ClaimFlow:
    """Whether a worker claims. `clock` returns monotonic seconds."""

    def __init__(self, poll_delay_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest_pause_s = poll_delay_s + _CLAIM_WITHIN_S
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Start anew: the first claim is to come."""
        self._failure = ""
        self._since = self._clock()

    def claimed(self, _: Claimed) -> None:
        """Note that a claim succeeded, whether or not there were jobs."""
        self.begin()

    def failed(self, event: ClaimFailed) -> None:
        """Note that a claim failed."""
        self._failure = event.code or event.error_class

    def why_not(self, *, due: bool) -> str:
        """Return what is wrong with claims; `due`: there are free slots, and no reason to leave them free."""
        if self._failure:
            return f"claims fail ({self._failure})"
        if not due:
            self._since = self._clock()
        if self._clock() - self._since > self._longest_pause_s:
            return "no jobs are claimed although slots are free"
        return ""


class SlotProgress:
    """Whether jobs come and go while all slots, or all slots of one queue, are in use.

    `slots` holds the slots of each queue, `max_jobs` all of a worker's. Slots that are full make progress if one of
    their jobs ends within `patience_s` seconds.
    """

    def __init__(
        self,
        slots: Mapping[str, int],
        max_jobs: int,
        patience_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # All slots, and then the queues that may not fill them.
        self._capacity = {"": max_jobs} | {queue: limit for queue, limit in slots.items() if limit < max_jobs}
        self._patience_s = patience_s
        self._clock = clock
        self._full: dict[str, tuple[float, set[RunningJob]]] = {}

    def why_not(self, jobs: Collection[RunningJob]) -> str:
        """Return which slots have made no progress, `jobs` being those that hold a slot now."""
        now = self._clock()
        held: dict[str, set[RunningJob]] = {"": set(jobs)}
        for job in jobs:
            held.setdefault(job.claimed.queue, set()).add(job)
        stuck = []
        for queue, capacity in self._capacity.items():
            running = held.get(queue, set())
            if len(running) < capacity:
                self._full.pop(queue, None)
                continue
            since, before = self._full.get(queue, (now, running))
            if running != before:
                since = now
            self._full[queue] = since, running
            if now - since > self._patience_s:
                stuck.append(f"all slots of {queue}" if queue else "all slots")
        return f"{stuck[0]} are held by jobs that do not end" if stuck else ""


class Readiness:
    """Puts together why a worker is not ready: `look` asks Redis, and then `why_not` says it."""

    def __init__(
        self,
        context: EngineContext,
        slots: Slots,
        blocked: BlockedSlots,
        options: JobOptions,
        claims: ClaimFlow,
    ) -> None:
        self._context = context
        self._slots = slots
        self._blocked = blocked
        self._max_jobs = options.max_jobs
        self._claims = claims
        self._progress = SlotProgress(context.queues, options.max_jobs, options.longest_run_s + _END_WITHIN_S)
        self._foreign_key = ""
        self._reported = ""
        claims.begin()

    async def look(self) -> None:
        """Look for keys that another program has written with another type. Raises redis-py's errors."""
        found = await foreign_keys(self._context.redis, list(self._context.queues))
        self._foreign_key = str(found[0]) if found else ""

    def why_not(self) -> str:
        """Return why the worker is not ready, or an empty string; a change of what is found here is one event."""
        context = self._context
        on_purpose = self._blocked.why_not_ready or context.why_not_ready()
        free = len(self._slots) < self._max_jobs
        # Both are asked every time: they remember what they saw last.
        claims = self._claims.why_not(due=free and not on_purpose)
        progress = self._progress.why_not(self._slots.jobs())
        found = self._foreign_key or claims or self._slots.renewal_problem or self._why_not_stored() or progress
        # While Redis is unavailable that alone is reported, and nothing new that may follow from it.
        reported = found if context.redis_health.is_up or self._reported else ""
        if reported != self._reported:
            self._reported = reported
            context.events.send(ReadinessChanged(reported))
        return on_purpose or found

    def _why_not_stored(self) -> str:
        if self._context.completer.oldest_wait_s > _STORED_WITHIN_S:
            return f"completions have waited for more than {_STORED_WITHIN_S:g} s to be stored"
        return ""
