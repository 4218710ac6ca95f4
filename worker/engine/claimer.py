"""Claims jobs while there are free slots, and waits for announced jobs when there is nothing to do."""

import asyncio
import time
from collections.abc import Callable

from worker.contract.source_queues import queues_in_turn
from worker.engine.context import EngineContext
from worker.engine.events import Claimed, ClaimFailed, ClaimRecovered, JobTooLargeForLink
from worker.engine.options import JobOptions
from worker.engine.queue_shares import QueueShares
from worker.engine.slots import Slots
from worker.queue import keys
from worker.queue.claim import Claim
from worker.queue.scripts import LARGEST_ANSWER
from worker.redis.client import call_timeout_s
from worker.redis.errors import REDIS_ERRORS, error_code, is_timeout
from worker.redis.link_budget import LinkBudget

# Doubled with each claim that fills it and arrives soon, so that a slow link does not begin with a timeout.
_FIRST_ANSWER = 1024 * 1024
_LEAST_ANSWER = 16 * 1024
# A job whose payload takes longer than a timeout occupies the link for so long at each try. All of them together
# leave ten times as long to the others.
_SHARE_FOR_OTHERS = 10


class Claimer:
    """The loop that fills a worker's slots, and the listener that wakes it.

    `may_claim` says whether new jobs may be claimed at all, `started` how many jobs the worker has ever started: a
    burst may be limited to a number of them.
    """

    def __init__(
        self,
        options: JobOptions,
        context: EngineContext,
        slots: Slots,
        *,
        may_claim: Callable[[], bool],
        started: Callable[[], int],
    ) -> None:
        self._options = options
        self._context = context
        self._slots = slots
        self._may_claim = may_claim
        self._started = started
        self._shares = QueueShares(context.queues, options.max_jobs, queues_in_turn(context.source_queues))
        self._hungry = asyncio.Event()
        self._claims = 0
        self._timeout_s = call_timeout_s(context.redis)
        self._answer = LinkBudget(
            first=_FIRST_ANSWER, least=_LEAST_ANSWER, most=LARGEST_ANSWER, timeout_s=self._timeout_s
        )
        self._too_large: set[bytes] = set()

    async def run(self) -> None:
        """Claim and start jobs until the worker stops, or in burst mode until there are none."""
        context = self._context
        while not context.stopping.is_set() and not self._burst_used_up():
            wanted = self._wanted()
            if wanted == 0:
                await self._pause(context.breaker.wait_s or self._options.poll_delay_s)
                continue
            claim = await self._claim(wanted)
            if claim is None:
                continue
            context.breaker.probed()
            await self._slots.start(claim.jobs, self._token())
            if self._options.burst and await self._burst_done():
                return
            if len(claim.jobs) < wanted:
                self._hungry.set()
                await self._pause(self._until_next(claim))
                self._hungry.clear()

    async def listen(self) -> None:
        """Wait for announced jobs, but only while there are free slots: each announcement wakes one worker."""
        redis = self._context.redis
        # The longest wait stays well below the socket's timeout.
        wait_s = min(max(self._options.poll_delay_s, 0.05), call_timeout_s(redis) / 2, 1.0)
        while True:
            await self._hungry.wait()
            # An announcement of a queue that is at its limit is left for a worker that has room for it.
            queues = self._shares.with_room(self._running_queues())
            if not queues:
                await asyncio.sleep(wait_s)
                continue
            try:
                if await redis.blpop([queue + keys.WAKEUP_SUFFIX for queue in queues], timeout=wait_s):
                    self._context.wake.set()
                    # Yields, so that `run` claims first, and then says whether slots are still free.
                    await asyncio.sleep(0)
            except REDIS_ERRORS as error:
                await self._context.redis_health.failed(error)

    def _wanted(self) -> int:
        options = self._options
        if not self._may_claim() or self._context.completer.is_congested:
            return 0
        free = options.max_jobs - len(self._slots)
        if options.burst and options.max_burst_jobs >= 0:
            free = min(free, options.max_burst_jobs - self._started())
        return self._context.breaker.allowance(max(free, 0))

    def _running_queues(self) -> list[str]:
        return self._slots.queues() if self._shares.counts_running else []

    def _token(self) -> str:
        return f"{self._context.worker_id}:{self._claims}"

    def _until_next(self, claim: Claim) -> float:
        wait_s = self._options.poll_delay_s
        if claim.next_due_ms > 0:
            wait_s = min(wait_s, max(0.001, (claim.next_due_ms - claim.now_ms) / 1000))
        return wait_s

    async def _claim(self, wanted: int) -> Claim | None:
        context = self._context
        self._claims += 1
        limits = self._shares.limits(self._claims, wanted, self._running_queues())
        began = time.monotonic()
        try:
            claim = await context.scripts.claim(
                self._token(),
                int(context.lease_s * 1000),
                wanted,
                limits,
                self._answer.size,
                context.rate_limits,
            )
        except REDIS_ERRORS as error:
            context.events.send(ClaimFailed(type(error).__name__, error_code(error)))
            await self._recover(error)
            return None
        context.redis_health.answered()
        context.clock.observe(claim.now_ms)
        context.pauses.claimed(claim.paused)
        seconds = time.monotonic() - began
        self._answer.carried(claim.size, seconds)
        context.events.send(Claimed(len(claim.jobs), wanted, seconds, claim.held_back))
        return claim

    async def _recover(self, error: Exception) -> None:
        """Wait until Redis answers, then hand back what the failed claim may have leased without our knowing."""
        context = self._context
        while True:
            # Tried once even while stopping: a job that is not handed back would count a crash.
            if not context.stopping.is_set():
                await context.redis_health.failed(error)
            delay_s = self._delay_alone_s() if self._answer.is_least and is_timeout(error) else 0
            try:
                recovered, last = await context.scripts.recover(
                    self._token(), list(context.queues), int(delay_s * 1000)
                )
            except REDIS_ERRORS as again:
                if context.stopping.is_set():
                    return
                error = again
            else:
                # A Redis that refuses writes answers this too; only a claim shows that it is well again.
                if recovered:
                    # The script ran, so it was the answer that did not come through.
                    self._answer.halve()
                    context.events.send(ClaimRecovered(recovered))
                if recovered == 1 and delay_s:
                    self._too_large.add(last)
                    name = last.decode(errors="backslashreplace")
                    context.events.send(JobTooLargeForLink(name, delay_s))
                return

    def _delay_alone_s(self) -> float:
        """Return for how long a job is deferred that does not arrive although it is claimed alone."""
        return self._timeout_s * _SHARE_FOR_OTHERS * max(1, len(self._too_large))

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._context.wake.wait()
        except TimeoutError:
            pass
        self._context.wake.clear()

    def _burst_used_up(self) -> bool:
        return self._options.burst and 0 <= self._options.max_burst_jobs <= self._started()

    async def _burst_done(self) -> bool:
        if self._burst_used_up():
            return True
        try:
            # A burst does not wait for an operator; what is on a paused queue is left to the next one.
            queues = [queue for queue in self._context.queues if not self._context.pauses.has_queue(queue)]
            return not any([await self._context.redis.zcard(queue) for queue in queues])
        except REDIS_ERRORS as error:
            await self._context.redis_health.failed(error)
            return False
