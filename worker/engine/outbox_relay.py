"""The relay: moves jobs from the outbox in MongoDB to their queues, in the order of each hospital."""

import asyncio
import secrets
from contextlib import suppress
from typing import Any

from worker.backoff import Backoff
from worker.contract.outbox import OutboxJob
from worker.engine.context import EngineContext
from worker.engine.events import Events, OutboxHeldUp
from worker.engine.outbox_steps import OutboxSource, OutboxSteps
from worker.engine.outbox_tally import OutboxTally
from worker.errors import RegistryError
from worker.queue import keys
from worker.queue.fleet_lock import FleetLock
from worker.queue.heartbeats import OutboxState
from worker.redis.errors import REDIS_ERRORS, error_code

# If a worker dies while it relays, the others wait for so long. Two that relay at once do no harm.
_LOCK_MS = 3_000
_RENEW_S = 0.7
# Between looks at which jobs have ended, while any are on their queues; longer each time that nothing has happened.
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.02, 0.1
# Between looks at all hospitals, in case a notice of a change or of an end was lost; longer if there are very many.
_SWEEP_S = 10.0
_LONGEST_SHARE = 0.05
_MEASURE_S = 2.0
# Added jobs beyond are found by looking at all.
_MOST_ADDED = 10_000
_BACKOFF = Backoff(first_s=0.1, longest_s=2)


class OutboxRelay:
    """One worker's part in relaying: its four loops run as long as it does.

    One of a fleet's workers relays at a time, the one that has the lock. It looks at the first job of every
    hospital when it begins, after each error and every ten seconds. In between MongoDB notifies it of added jobs,
    and Redis of ended ones. Nothing depends on these notices: they only make the relay quick.
    """

    def __init__(self, context: EngineContext, source: OutboxSource) -> None:
        self._context = context
        self._source = source
        self._lock = FleetLock(context.redis, keys.OUTBOX_RELAY, context.worker_id, _LOCK_MS)
        self._relays = asyncio.Event()
        self._wake = asyncio.Event()
        self._steps = OutboxSteps(context, source)
        self._tally = OutboxTally(context.events, source)
        self._added: list[OutboxJob] = []
        # Where the look at all hospitals is, whether one is wanted, and when it is due anyway.
        self._after: Any = None
        self._sweeping, self._sweep_wanted = False, False
        self._sweep_began = self._sweep_at = 0.0
        self._look_s = _FIRST_LOOK_S
        self._trouble = _Trouble(context.events, "")

    @property
    def state(self) -> OutboxState | None:
        """What the outbox has, if this worker relays and knows it."""
        return self._tally.state if self._relays.is_set() else None

    async def keep_lock(self) -> None:
        """Take the lock when it is free, and keep it."""
        try:
            while True:
                try:
                    has_lock = await self._lock.extend() or await self._lock.acquire()
                except REDIS_ERRORS:
                    # The engine reports that.
                    has_lock = False
                if has_lock and not self._relays.is_set():
                    self._steps = OutboxSteps(self._context, self._source)
                    self._want_sweep()
                    self._relays.set()
                elif not has_lock:
                    self._relays.clear()
                # Spread, so that workers that were started together do not ask together.
                await asyncio.sleep(_RENEW_S * (0.9 + 0.2 * secrets.randbelow(1000) / 1000))
        finally:
            with suppress(*REDIS_ERRORS):
                await self._lock.release()

    async def watch(self) -> None:
        """While it has the lock, note which jobs are added."""
        trouble = _Trouble(self._context.events, "added jobs are found only by looking at all hospitals: ")
        while True:
            await self._relays.wait()
            try:
                async with self._source.added() as next_added:
                    # What was added before.
                    self._want_sweep()
                    while self._relays.is_set():
                        self._note_added(await next_added())
                        trouble.is_over()
            except RegistryError as error:
                self._want_sweep()
                await trouble.met(str(error))

    async def measure(self) -> None:
        """While it has the lock, read how much there is."""
        while True:
            await self._relays.wait()
            await self._tally.measure()
            await asyncio.sleep(_MEASURE_S)

    async def work(self) -> None:
        """While it has the lock, move jobs on."""
        while True:
            await self._relays.wait()
            try:
                await self._work_once()
            except REDIS_ERRORS as error:
                self._want_sweep()
                await self._trouble.met(f"Redis: {error_code(error) or type(error).__name__}")
            except RegistryError as error:
                self._want_sweep()
                await self._trouble.met(str(error))

    async def _work_once(self) -> None:
        added, self._added = self._added, []
        if added:
            await self._steps.take_added(added)
        await self._steps.take_ended()
        if self._sweep_is_due():
            await self._look_at_page()
        if self._steps.has_work:
            self._look_s = _FIRST_LOOK_S
            await self._steps.step()
        elif not self._sweeping:
            self._tally.end_look(self._steps.skipped)
            await self._wait()

    async def _wait(self) -> None:
        self._wake.clear()
        if self._added or self._sweep_wanted:
            return
        self._trouble.is_over()
        seconds = max(0.0, self._sweep_at - asyncio.get_running_loop().time())
        if self._steps.waits:
            seconds = min(seconds, self._look_s)
            self._look_s = min(_LONGEST_LOOK_S, self._look_s * 1.5)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    def _note_added(self, jobs: list[OutboxJob]) -> None:
        if not jobs:
            return
        self._added += jobs
        if len(self._added) > _MOST_ADDED:
            self._added.clear()
            self._sweep_wanted = True
        self._wake.set()

    def _want_sweep(self) -> None:
        self._sweep_wanted = True
        self._wake.set()

    def _sweep_is_due(self) -> bool:
        now = asyncio.get_running_loop().time()
        if not self._sweeping and (self._sweep_wanted or now >= self._sweep_at):
            self._after, self._sweeping, self._sweep_wanted = None, True, False
            self._sweep_began = now
            self._steps.forget()
            self._tally.begin_look()
        # What is found on a page is moved on before the next one is read.
        return self._sweeping and not self._steps.has_work

    async def _look_at_page(self) -> None:
        page = await self._source.page(self._after)
        self._steps.look_at(page.heads)
        self._tally.meet(page.unreadable)
        self._after = page.last
        if page.last is None:
            self._sweeping = False
            now = asyncio.get_running_loop().time()
            self._sweep_at = now + max(_SWEEP_S, (now - self._sweep_began) / _LONGEST_SHARE)


class _Trouble:
    """Why a loop fails: reported once until the reason changes or is over, and waited for longer each time."""

    def __init__(self, events: Events, effect: str) -> None:
        self._events = events
        self._effect = effect
        self._reason = ""
        self._failures = 0

    async def met(self, reason: str) -> None:
        """Report a reason if it is new, and wait before the next try."""
        if reason != self._reason:
            self._events.send(OutboxHeldUp(self._effect + reason))
        self._reason = reason
        self._failures += 1
        await asyncio.sleep(_BACKOFF.delay_s(self._failures))

    def is_over(self) -> None:
        """Note a try that succeeded."""
        self._reason, self._failures = "", 0
