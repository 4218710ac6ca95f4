"""How a worker stops: running jobs may end within the grace period, and the rest is handed back."""

import asyncio
from typing import Any

from worker.engine.events import Events, GracePeriodExpired
from worker.engine.running_job import RunningJob
from worker.engine.slots import Slots
from worker.hidden_task import hidden

# Together these come to less than the 5 s after the grace period within which the process is gone: see
# `process_exit`.
_LAST_CLAIM_S = 1.0
_DRAIN_S = 2.5
_LET_GO_S = 0.5
_CANCEL_AGAIN_S = 0.2


async def cancel(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks and wait until they have ended."""
    pending = set(tasks)
    while pending:
        # Repeated, because a cancellation that meets a connection attempt can be swallowed on the way.
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)


class Shutdown:
    """How one worker that serves comes to its end: `wait` until it is due, and then `end`.

    `claiming` is the claimer's task. `side_tasks` run beside it, and end by themselves only with an error; then the
    worker fails too. `stopping` is set by the first signal, `hurry` by a second one. Running jobs have `grace_s`
    seconds in between.
    """

    def __init__(
        self,
        slots: Slots,
        events: Events,
        claiming: asyncio.Task[None],
        side_tasks: list[asyncio.Task[None]],
        *,
        stopping: asyncio.Event,
        hurry: asyncio.Event,
        grace_s: float,
    ) -> None:
        self._slots = slots
        self._events = events
        self._claiming = claiming
        self._side_tasks = side_tasks
        self._beside: list[asyncio.Future[None]] = [slots.failed, *side_tasks]
        self._stopping = stopping
        self._hurry = hurry
        self._grace_s = grace_s

    async def wait(self) -> None:
        """Wait until the claimer has ended, and then until the running jobs have, or their grace period is over.

        In burst mode the last jobs may run as long as they need; a signal begins the grace period. Raises what
        ended the claimer or a side task.
        """
        await self._until_claiming_ends()
        await self._wait_for_jobs(self._stopping)
        if self._stopping.is_set():
            await self._wait_for_jobs(self._hurry, self._grace_s)

    async def end(self) -> list[RunningJob]:
        """Stop claiming, hand back what still runs, and end what runs beside the jobs; `stopping` must be set.

        Returns the jobs that are still leased, because Redis has not answered in time.
        """
        await self._stop_claiming()
        left = await self._hand_back()
        await cancel(*self._side_tasks)
        await self._slots.close()
        return left

    async def _until_claiming_ends(self) -> None:
        """Wait until the claimer has ended; once `stopping` is set, for a moment only: Redis may be frozen."""
        stopped = hidden(asyncio.create_task(self._stopping.wait()))
        waited_for: list[asyncio.Future[Any]] = [self._claiming, *self._beside]
        try:
            await asyncio.wait([*waited_for, stopped], return_when=asyncio.FIRST_COMPLETED)
            if stopped.done():
                # The jobs of a claim that is on its way may still run within the grace period.
                await asyncio.wait(waited_for, timeout=_LAST_CLAIM_S, return_when=asyncio.FIRST_COMPLETED)
            for future in waited_for:
                if future.done():
                    future.result()
        finally:
            stopped.cancel()

    async def _wait_for_jobs(self, cut_short: asyncio.Event, seconds: float | None = None) -> None:
        """Wait until no job runs, `cut_short` is set or the time is over."""
        cut = hidden(asyncio.create_task(cut_short.wait()))
        tasks = self._slots.tasks
        try:
            async with asyncio.timeout(seconds):
                while tasks and not cut_short.is_set():
                    waited_for: list[asyncio.Future[Any]] = [cut, *self._beside, *tasks.values()]
                    await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
                    for future in self._beside:
                        if future.done():
                            future.result()
        except TimeoutError:
            self._events.send(GracePeriodExpired(len(tasks)))
        finally:
            cut.cancel()

    async def _stop_claiming(self) -> None:
        """Let a claim that is on its way come back: cancelled, it would leave leases that no worker renews."""
        await asyncio.wait([self._claiming], timeout=_LAST_CLAIM_S)
        await cancel(self._claiming)

    async def _hand_back(self) -> list[RunningJob]:
        """Interrupt the jobs that still run, and hand each back, whether it stops or not.

        A job that does not stop may still run for the moments that are left; jobs are idempotent.
        """
        self._slots.interrupt_all("shutdown")
        if self._slots.tasks:
            _, late = await asyncio.wait(list(self._slots.tasks.values()), timeout=_DRAIN_S)
            if late:
                return await self._slots.let_go(_LET_GO_S)
        return []
