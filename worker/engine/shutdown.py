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
    """The last steps of one worker that serves. `beside` are futures that end only with an error."""

    def __init__(self, slots: Slots, events: Events, beside: list["asyncio.Future[None]"]) -> None:
        self._slots = slots
        self._events = events
        self._beside = beside

    async def until_claiming_ends(self, claiming: asyncio.Task[None], stopping: asyncio.Event) -> None:
        """Wait until the claimer has ended. After `stopping` was set, wait for a moment only: Redis may be frozen.

        Raises what ended the claimer or one of `beside`.
        """
        stopped = hidden(asyncio.create_task(stopping.wait()))
        waited_for: list[asyncio.Future[Any]] = [claiming, *self._beside]
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

    async def wait_for_jobs(self, cut_short: asyncio.Event, seconds: float | None = None) -> None:
        """Wait until no job runs, `cut_short` is set or the time is over; raises what ended one of `beside`."""
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

    async def stop_claiming(self, claiming: asyncio.Task[None]) -> None:
        """Let a claim that is on its way come back: cancelled, it would leave leases that no worker renews."""
        await asyncio.wait([claiming], timeout=_LAST_CLAIM_S)
        await cancel(claiming)

    async def hand_back(self) -> list[RunningJob]:
        """Interrupt the jobs that still run, and hand each back, whether it stops or not.

        A job that does not stop may still run for the moments that are left; jobs are idempotent. Returns the jobs
        that are still leased, because Redis has not answered in time.
        """
        self._slots.interrupt_all("shutdown")
        if self._slots.tasks:
            _, late = await asyncio.wait(list(self._slots.tasks.values()), timeout=_DRAIN_S)
            if late:
                return await self._slots.let_go(_LET_GO_S)
        return []
