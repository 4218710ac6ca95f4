"""Claims jobs while there are slots for them, and waits for news without polling when there is nothing to do."""

import asyncio

import structlog
from arq.utils import timestamp_ms
from arq.worker import Worker

from worker.engine.context import Parts
from worker.engine.queue_shares import QueueShares
from worker.engine.redis_health import REDIS_ERRORS
from worker.engine.slots import Slots
from worker.queue import keys
from worker.queue.scripts import Claim

_log = structlog.stdlib.get_logger(__name__)

_DEFAULT_SOCKET_TIMEOUT_S = 2.0


class Claimer:
    """The loop that fills a worker's slots, and the listener that wakes it."""

    def __init__(self, host: Worker, parts: Parts, in_hand: Slots) -> None:
        self._host = host
        self._parts = parts
        self._in_hand = in_hand
        self._shares = QueueShares(parts.queues, host.max_jobs)
        self._hungry = asyncio.Event()
        self._claims = 0

    async def run(self) -> None:
        """Claim and start jobs until told to stop, or in burst mode until there are none."""
        while not self._parts.stopping.is_set() and not self._burst_used_up():
            wanted = self._wanted()
            if wanted == 0:
                await self._pause(self._parts.breaker.wait_s or self._host.poll_delay_s)
                continue
            claim = await self._claim(wanted)
            if claim is None:
                continue
            self._parts.breaker.probed()
            await self._in_hand.start(claim.jobs, self._token())
            if self._host.burst and await self._burst_done():
                return
            if len(claim.jobs) < wanted:
                self._hungry.set()
                await self._pause(self._until_next(claim))
                self._hungry.clear()

    async def listen(self) -> None:
        """Wait for announced jobs, but only while there are slots: each announcement wakes one worker."""
        bells = [queue + keys.WAKEUP_SUFFIX for queue in self._parts.queues]
        options = self._host.pool.connection_pool.connection_kwargs
        socket_timeout_s = options.get("socket_timeout") or _DEFAULT_SOCKET_TIMEOUT_S
        # The longest wait stays well below the socket's time-out.
        wait_s = min(max(self._host.poll_delay_s, 0.05), socket_timeout_s / 2, 1.0)
        while True:
            await self._hungry.wait()
            try:
                if await self._host.pool.blpop(bells, timeout=wait_s):
                    self._parts.wake.set()
                    # Yield, so that the claim loop runs and says whether it is still hungry.
                    await asyncio.sleep(0)
            except REDIS_ERRORS as error:
                await self._parts.health.failed(error)

    def _wanted(self) -> int:
        host = self._host
        if not host.allow_pick_jobs or self._parts.writer.is_congested:
            return 0
        free = host.max_jobs - len(self._in_hand)
        if host.burst and host.max_burst_jobs >= 0:
            free = min(free, host.max_burst_jobs - self._in_hand.started)
        return self._parts.breaker.allowance(max(free, 0))

    def _token(self) -> str:
        return f"{self._parts.worker_id}:{self._claims}"

    def _until_next(self, claim: Claim) -> float:
        wait_s = self._host.poll_delay_s
        if claim.next_due_ms > 0:
            wait_s = min(wait_s, max(0.001, (claim.next_due_ms - claim.now_ms) / 1000))
        return wait_s

    async def _claim(self, wanted: int) -> Claim | None:
        self._claims += 1
        held = self._in_hand.queues() if len(self._parts.queues) > 1 else []
        limits = self._shares.limits(self._claims, wanted, held)
        try:
            claim = await self._parts.scripts.claim(self._token(), int(self._parts.lease_s * 1000), wanted, limits)
        except REDIS_ERRORS as error:
            await self._recover(error)
            return None
        self._parts.health.answered()
        self._in_hand.clock_offset_ms = claim.now_ms - timestamp_ms()
        return claim

    async def _recover(self, error: Exception) -> None:
        """Wait until Redis answers, then hand back what the failed claim may have taken without our knowing."""
        while True:
            # Tried once even while stopping: what nobody handed back would count as a crash of its jobs.
            if not self._parts.stopping.is_set():
                await self._parts.health.failed(error)
            try:
                recovered = await self._parts.scripts.recover(self._token(), self._parts.queues)
            except REDIS_ERRORS as again:
                if self._parts.stopping.is_set():
                    return
                error = again
            else:
                # A Redis that refuses writes answers this all the same; only a claim shows that it is well.
                if recovered:
                    _log.info("claim recovered", action="claim_recovered", jobs=recovered)
                return

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._parts.wake.wait()
        except TimeoutError:
            pass
        self._parts.wake.clear()

    def _burst_used_up(self) -> bool:
        return self._host.burst and 0 <= self._host.max_burst_jobs <= self._in_hand.started

    async def _burst_done(self) -> bool:
        if self._burst_used_up():
            return True
        try:
            return not any([await self._host.pool.zcard(queue) for queue in self._parts.queues])
        except REDIS_ERRORS as error:
            await self._parts.health.failed(error)
            return False
