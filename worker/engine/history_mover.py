"""Moves records of ended jobs from Redis to the history."""

from collections.abc import Awaitable, Callable, Sequence

from redis.exceptions import NoPermissionError

from worker.contract.job_ends import EndGroup
from worker.engine.context import EngineContext
from worker.engine.events import EndsLeftOut, HistoryNotMoved
from worker.errors import RegistryError
from worker.queue import keys
from worker.queue.ended_jobs import EndedJobs
from worker.queue.fleet_lock import FleetLock

INTERVAL_S = 1.0
StoreEnds = Callable[[Sequence[EndGroup]], Awaitable[None]]
"""Stores groups of ended jobs; a group that is stored already changes nothing. Raises `RegistryError`."""

# One of a fleet's workers moves at a time. Two would store the same groups twice, which is harmless. If one dies
# while it moves, the others wait for so long.
_LOCK_MS = 15_000
# Reading and writing so many, of 100 jobs each, takes the event loop for two milliseconds.
_PAGE = 10
# While jobs run, a worker moves no more than this a second, unless more entries than `_BACKLOG` wait.
_PAGE_WHILE_BUSY = 2
_BACKLOG = 2_000


class HistoryMover:
    """Takes the oldest entries of the stream, stores them, and deletes them; what cannot be stored stays.

    `store` keeps the history, `is_busy` says whether jobs need this process.
    """

    def __init__(self, context: EngineContext, store: StoreEnds, is_busy: Callable[[], bool]) -> None:
        self._lock = FleetLock(context.redis, keys.ENDED_MOVER, context.worker_id, _LOCK_MS)
        self._ended = EndedJobs(context.redis)
        self._events = context.events
        self._store = store
        self._is_busy = is_busy
        self._problem = ""

    async def move(self) -> None:
        """Move what there is; while jobs run only a small page, unless there is a backlog."""
        try:
            if not await self._lock.acquire():
                return
            try:
                await self._move()
                self._report("")
            finally:
                await self._lock.release()
        except RegistryError as error:
            self._report(str(error))
        except NoPermissionError:
            self._report("the user in Redis may not use streams; compare its rules with docs/security.md")

    async def _move(self) -> None:
        if left_out := await self._ended.take_left_out():
            self._events.send(EndsLeftOut(left_out))
        while page := await self._ended.oldest(_PAGE_WHILE_BUSY if await self._can_wait() else _PAGE):
            await self._store([group for _, group in page if group is not None])
            await self._ended.delete(entry_id for entry_id, _ in page)
            if await self._can_wait():
                return
            # The lock is held for as long as it moves.
            await self._lock.extend()

    async def _can_wait(self) -> bool:
        """Whether moving can wait for the jobs that run."""
        return self._is_busy() and await self._ended.length() < _BACKLOG

    def _report(self, problem: str) -> None:
        if problem and problem != self._problem:
            self._events.send(HistoryNotMoved(problem))
        self._problem = problem
