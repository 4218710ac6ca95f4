"""Learns when jobs have ended: Redis wakes the producer, and a slow look at all of them finds the others."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from worker.errors import InvalidEnvelope, OutageError
from worker.queue.job_state import EndedView, JobView
from worker.queue.waiters import MOST_IDS, Waiters
from worker.redis.errors import REDIS_ERRORS, is_timeout, translate
from worker.redis.link_budget import LinkBudget

# The notes in Redis live for a minute, and are lost in some fail-overs.
_NOTE_AGAIN_S: Final = 20.0
# Workers of earlier versions, and arq's own, send no notices. While they end jobs, one look soon follows another.
_SHORTEST_LOOK_S: Final = 0.05
_LONGEST_LOOK_S: Final = 1.0
# Between two attempts while Redis is unavailable.
_PAUSE_S: Final = 0.5
# After Redis has refused what the wake-ups need: rules of a user from before there were any.
_WITHOUT_S: Final = 60.0
# The most results that are read in one call; each may be large, and the link slow.
_READ_TOGETHER: Final = 50

Answer = asyncio.Future[EndedView | None]


class EndWatch:
    """Waits for the ends of any number of jobs over one connection, in the event loop of its first call.

    `timeout_s` is when a call to Redis fails. Two tasks work while anybody waits, and up to two seconds longer.
    """

    def __init__(self, waiters: Waiters, timeout_s: float) -> None:
        self._waiters = waiters
        # A blocked call must be answered before it counts as lost.
        self._longest_look_s = min(_LONGEST_LOOK_S, timeout_s / 2)
        self._look_s = _SHORTEST_LOOK_S
        self._together = LinkBudget(first=_READ_TOGETHER, least=1, most=_READ_TOGETHER, timeout_s=timeout_s)
        # When all jobs are looked at, when they are noted again, and from when on Redis is asked at all.
        self._look_at = self._note_at = self._usable_at = 0.0
        self._waiting: dict[str, set[Answer]] = {}
        self._new: list[str] = []
        self._arrived = asyncio.Event()
        self._tasks: dict[Callable[[], Awaitable[None]], asyncio.Task[None]] = {}
        self._closing = False

    async def end_of(self, job_id: str, seconds: float) -> JobView | None:
        """Wait up to `seconds` for a job to end, and return what it left.

        `None`: look yourself, because it is unknown, left nothing or has not ended in time, or because Redis does
        not let this producer wait; the latter is returned at once. Raises `InvalidEnvelope` as `look_up` does.
        """
        if time.monotonic() < self._usable_at:
            return None
        answer: Answer = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(job_id, set()).add(answer)
        self._new.append(job_id)
        self._arrived.set()
        for work in (self._listen, self._look):
            if work not in self._tasks or self._tasks[work].done():
                self._tasks[work] = asyncio.create_task(self._repeat(work))
        try:
            async with asyncio.timeout(seconds):
                found = await answer
        except TimeoutError:
            return None
        finally:
            self._waiting[job_id].discard(answer)
            if not self._waiting[job_id]:
                del self._waiting[job_id]
        if isinstance(found, InvalidEnvelope):
            raise found
        return found

    async def close(self) -> None:
        """End the tasks. Whoever still waits gets no answer before its time is over."""
        # redis-py on Python 3.11 may drop a cancellation.
        self._closing = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        self._closing = False

    async def _repeat(self, work: Callable[[], Awaitable[None]]) -> None:
        idle = False
        while not self._closing and (self._waiting or not idle):
            idle = not self._waiting
            try:
                await work()
            except REDIS_ERRORS as error:
                # What was new is perhaps not noted, and what was noted may be lost.
                self._look_at = self._note_at = 0.0
                if isinstance(translate(error, ""), OutageError):
                    await asyncio.sleep(_PAUSE_S)
                    continue
                self._usable_at = time.monotonic() + _WITHOUT_S
                self._answer(list(self._waiting), {})
                return

    async def _listen(self) -> None:
        await self._read(await self._waiters.wait(self._longest_look_s))

    async def _look(self) -> None:
        """Ask for the jobs that are new, and at times for all of them."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._look_at - time.monotonic()):
                await self._arrived.wait()
        self._arrived.clear()
        new, self._new = self._new, []
        now = time.monotonic()
        look, note = now >= self._look_at, now >= max(self._look_at, self._note_at)
        if not note:
            await self._ask(new, note=True)
        if look:
            without_notice = await self._ask(list(self._waiting), note=note)
            self._look_s = _SHORTEST_LOOK_S if without_notice else min(self._longest_look_s, self._look_s * 2)
            self._look_at = time.monotonic() + self._look_s
        if note:
            self._note_at = now + _NOTE_AGAIN_S

    async def _ask(self, job_ids: Sequence[str], *, note: bool) -> bool:
        """Answer for those of these jobs that are over; returns whether one has ended without a notice."""
        without_notice = False
        for first in range(0, len(job_ids), MOST_IDS):
            over = await self._waiters.over(job_ids[first : first + MOST_IDS], note=note)
            without_notice = without_notice or over.without_notice
            await self._read(over.ids)
        return without_notice

    async def _read(self, job_ids: Sequence[str]) -> None:
        wanted = [job_id for job_id in job_ids if job_id in self._waiting]
        while wanted:
            some, wanted = wanted[: self._together.size], wanted[self._together.size :]
            began = time.monotonic()
            try:
                found = await self._waiters.ended(some)
            except REDIS_ERRORS as error:
                if is_timeout(error):
                    self._together.halve()
                raise
            self._together.carried(len(some), time.monotonic() - began)
            self._answer(some, found)

    def _answer(self, job_ids: Sequence[str], found: Mapping[str, EndedView]) -> None:
        for job_id in job_ids:
            for answer in self._waiting.get(job_id, ()):
                if not answer.done():
                    answer.set_result(found.get(job_id))
