"""Stores how jobs ended, in groups: whatever has come in while one group is under way makes the next."""

import asyncio
from collections import deque

import structlog

from worker.engine.redis_health import REDIS_ERRORS, RedisHealth, error_code
from worker.queue.scripts import Completion, Scripts

_log = structlog.stdlib.get_logger(__name__)

# One script call blocks Redis for a millisecond at this size.
_GROUP_SIZE = 100
# Far below the query buffer of 1 GB at which Redis cuts a connection.
_GROUP_BYTES = 16 * 1024 * 1024
# What a script answers that meets a key of another type than ours: repeating it changes nothing.
_FOREIGN_KEYS = frozenset({"WRONGTYPE", "ERR"})
# Above the high mark nothing is claimed until storing has caught up to the low mark.
_HIGH_MARK, _LOW_MARK = 2_000, 500


Waiting = tuple[Completion, "asyncio.Future[bool]"]


class Completer:
    """Collects completions of one worker and stores them; nothing is dropped while Redis is away."""

    def __init__(self, scripts: Scripts, health: RedisHealth) -> None:
        self._scripts = scripts
        self._health = health
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Waiting] = deque()
        self._arrived = asyncio.Event()
        self._congested = False

    @property
    def is_congested(self) -> bool:
        """Whether storing has fallen so far behind that no more work should be claimed."""
        mark = _LOW_MARK if self._congested else _HIGH_MARK
        self._congested = len(self._waiting) > mark
        return self._congested

    def submit(self, completion: Completion) -> "asyncio.Future[bool]":
        """Hand in a completion; the future tells, once it is stored, whether it was applied or refused."""
        stored: asyncio.Future[bool] = self._loop.create_future()
        self._waiting.append((completion, stored))
        self._arrived.set()
        return stored

    async def run(self) -> None:
        """Store what is handed in, until cancelled; more than one task may do so."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._store(self._next_group())

    def _next_group(self) -> list[Waiting]:
        group: list[Waiting] = []
        size = 0
        while self._waiting and len(group) < _GROUP_SIZE and size < _GROUP_BYTES:
            group.append(self._waiting.popleft())
            completion, _ = group[-1]
            size += len(completion.result) + len(completion.extra)
        return group

    async def _store(self, group: list[Waiting]) -> None:
        repeated = False
        applied: list[bool] | None = None
        while applied is None:
            try:
                applied = await self._scripts.finish(completion for completion, _ in group)
            except REDIS_ERRORS as error:
                if error_code(error) in _FOREIGN_KEYS:
                    await self._store_apart(group, error)
                    return
                # The step may have been done although its answer was lost, so it is simply repeated: what was
                # applied the first time is refused the second.
                repeated = True
                await self._health.failed(error)
        self._health.answered()
        for (completion, stored), was_applied in zip(group, applied, strict=True):
            if not was_applied and not repeated:
                _log.warning(
                    "a late completion was refused: the job has another owner by now",
                    action="completion_refused",
                    job_id=completion.job_id.decode(errors="backslashreplace"),
                )
            if not stored.cancelled():
                stored.set_result(was_applied or repeated)

    async def _store_apart(self, group: list[Waiting], error: Exception) -> None:
        """Store each alone, so that one that cannot be stored holds up no other.

        It is given up as if it had come too late: its lease ends, and the job is delivered again.
        """
        if len(group) > 1:
            for one in group:
                await self._store([one])
            return
        ((completion, stored),) = group
        _log.error(
            "a completion cannot be stored: somebody put a key of another type in its way",
            action="completion_unstorable",
            job_id=completion.job_id.decode(errors="backslashreplace"),
            error=type(error).__name__,
            code=error_code(error),
        )
        if not stored.cancelled():
            stored.set_result(False)
