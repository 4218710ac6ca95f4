"""Stores completions in groups: what arrives while one group is on its way makes the next."""

import asyncio
import time
from collections import deque

from worker.engine.events import CompletionDropped, CompletionRefused, CompletionsStored, Events
from worker.engine.redis_health import RedisHealth
from worker.queue.scripts import Completion, Scripts
from worker.redis.errors import REDIS_ERRORS, error_code, is_wrong_type

# One script call blocks Redis for a millisecond at this size.
_GROUP_SIZE = 100
# Far below the query buffer of 1 GB at which Redis cuts a connection.
_GROUP_BYTES = 16 * 1024 * 1024
# Above the high mark nothing is claimed until storing has caught up to the low mark.
_HIGH_MARK, _LOW_MARK = 2_000, 500

Waiting = tuple[Completion, "asyncio.Future[bool]"]


class Completer:
    """Collects the completions of one worker and stores them; none is dropped while Redis is unavailable."""

    def __init__(self, scripts: Scripts, redis_health: RedisHealth, events: Events) -> None:
        self._scripts = scripts
        self._redis_health = redis_health
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Waiting] = deque()
        self._arrived = asyncio.Event()
        self._congested = False
        # When storing each group that is on its way began.
        self._began: list[float] = []

    @property
    def is_congested(self) -> bool:
        """Whether storing has fallen so far behind that no more jobs should be claimed."""
        mark = _LOW_MARK if self._congested else _HIGH_MARK
        self._congested = len(self._waiting) > mark
        return self._congested

    @property
    def oldest_wait_s(self) -> float:
        """For how many seconds the oldest group that is on its way has not been stored; 0 if there is none."""
        return time.monotonic() - min(self._began) if self._began else 0.0

    def submit(self, completion: Completion) -> "asyncio.Future[bool]":
        """Take a completion; the future says, once it is stored, whether it was applied or refused as too late."""
        stored: asyncio.Future[bool] = self._loop.create_future()
        self._waiting.append((completion, stored))
        self._arrived.set()
        return stored

    async def run(self) -> None:
        """Store what is submitted, until cancelled; more than one task may do so."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                began = time.monotonic()
                self._began.append(began)
                try:
                    await self._store(self._next_group())
                finally:
                    self._began.remove(began)

    def _next_group(self) -> list[Waiting]:
        group: list[Waiting] = []
        size = 0
        while self._waiting and len(group) < _GROUP_SIZE and size < _GROUP_BYTES:
            group.append(self._waiting.popleft())
            completion, _ = group[-1]
            size += len(completion.result) + len(completion.record)
        return group

    async def _store(self, group: list[Waiting]) -> None:
        began = time.monotonic()
        repeated = False
        applied: list[bool] | None = None
        while applied is None:
            try:
                applied = await self._scripts.finish(completion for completion, _ in group)
            except REDIS_ERRORS as error:
                if is_wrong_type(error):
                    await self._store_apart(group, error)
                    return
                # The step may have been done although its answer was lost, so it is simply repeated: what was
                # applied the first time is refused the second.
                repeated = True
                await self._redis_health.failed(error)
        self._redis_health.answered()
        for (completion, stored), was_applied in zip(group, applied, strict=True):
            if not was_applied and not repeated:
                self._events.send(CompletionRefused(_name(completion)))
            if not stored.cancelled():
                stored.set_result(was_applied or repeated)
        refused = 0 if repeated else applied.count(False)
        self._events.send(CompletionsStored(len(group) - refused, refused, time.monotonic() - began))

    async def _store_apart(self, group: list[Waiting], error: Exception) -> None:
        """Store each completion of a group alone, so that one that cannot be stored does not block the others.

        That one is dropped as if it had come too late: its lease ends, and the job is delivered again.
        """
        if len(group) > 1:
            for one in group:
                await self._store([one])
            return
        ((completion, stored),) = group
        self._events.send(CompletionDropped(_name(completion), type(error).__name__, error_code(error)))
        if not stored.cancelled():
            stored.set_result(False)


def _name(completion: Completion) -> str:
    return completion.job_id.decode(errors="backslashreplace")
