"""Stores completions in groups: what arrives while one group is on its way makes the next."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from worker.engine.events import CompletionDropped, CompletionRefused, CompletionsStored, Events
from worker.engine.redis_health import RedisHealth
from worker.errors import PermanentError
from worker.queue.completion import Completion
from worker.queue.scripts import Scripts
from worker.redis.errors import REDIS_ERRORS, error_code, is_timeout, is_wrong_type
from worker.redis.limits import ALWAYS_ACCEPTED, ValueLimit
from worker.redis.link_budget import LinkBudget

# One script call blocks Redis for a millisecond at this size.
_GROUP_SIZE = 100
# Far below the query buffer of 1 GB at which Redis cuts a connection. Less where the link is slow.
_GROUP_BYTES = 16 * 1024 * 1024
_LEAST_GROUP_BYTES = 64 * 1024
# A group that loses its connection this often although Redis answers is divided: a member may be the cause.
_FAILURES_TO_DIVIDE = 2
# A large result that fails this often alone, although Redis answers, will never be stored.
_FAILURES_TO_GIVE_UP = 5
# Above the high mark nothing is claimed until storing has caught up to the low mark.
_HIGH_MARK, _LOW_MARK = 2_000, 500

Waiting = tuple[Completion, "asyncio.Future[bool]"]


class ResultTooLarge(PermanentError):
    """What a job returned cannot be stored.

    The job has had its effect; an operator discards its dead letter. The job should store such data elsewhere and
    return where they are.
    """


@dataclass(slots=True, eq=False)
class _Group:
    """Completions that are stored together, their bytes unless they failed before, and how often they failed.

    `began` is when storing them was first tried, in seconds of the monotonic clock.
    """

    members: list[Waiting]
    began: float
    size: int = 0
    failures: int = 0


class Completer:
    """Collects the completions of one worker and stores them; none is dropped while Redis is unavailable.

    `limit` is what this Redis takes at most in one value, `timeout_s` when a call fails.
    """

    def __init__(
        self, scripts: Scripts, redis_health: RedisHealth, events: Events, limit: ValueLimit, timeout_s: float
    ) -> None:
        self._scripts = scripts
        self._redis_health = redis_health
        self._events = events
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Waiting] = deque()
        # Groups that failed although Redis answers. They take turns with fresh ones, so that none holds another.
        self._apart: deque[_Group] = deque()
        self._turn_of_apart = False
        self._budget = LinkBudget(
            first=_GROUP_BYTES, least=min(_LEAST_GROUP_BYTES, _GROUP_BYTES), most=_GROUP_BYTES, timeout_s=timeout_s
        )
        self._arrived = asyncio.Event()
        self._congested = False
        self._being_stored: list[_Group] = []

    @property
    def is_congested(self) -> bool:
        """Whether storing has fallen so far behind that no more jobs should be claimed."""
        mark = _LOW_MARK if self._congested else _HIGH_MARK
        self._congested = len(self._waiting) + sum(len(group.members) for group in self._apart) > mark
        return self._congested

    @property
    def oldest_wait_s(self) -> float:
        """For how many seconds the oldest group that is on its way or put aside has not been stored."""
        began = min((group.began for group in (*self._being_stored, *self._apart)), default=math.inf)
        return max(0.0, time.monotonic() - began)

    def submit(self, completion: Completion) -> "asyncio.Future[bool]":
        """Take a completion; the future says, once it is stored, whether it was applied or refused as too late.

        The future raises `ResultTooLarge` if Redis does not take the result; the completion is not stored then.
        """
        stored: asyncio.Future[bool] = self._loop.create_future()
        if len(completion.result) > self._limit.bytes:
            stored.set_exception(_too_large(len(completion.result), self._beyond_limit()))
            return stored
        self._waiting.append((completion, stored))
        self._arrived.set()
        return stored

    async def run(self) -> None:
        """Store what is submitted, until cancelled; more than one task may do so."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while group := self._next_group():
                self._being_stored.append(group)
                try:
                    await self._store(group)
                finally:
                    self._being_stored.remove(group)

    def _next_group(self) -> _Group | None:
        self._turn_of_apart = not self._turn_of_apart
        if self._apart and (self._turn_of_apart or not self._waiting):
            return self._apart.popleft()
        members: list[Waiting] = []
        size, largest = 0, min(_GROUP_BYTES, self._budget.size, self._limit.bytes)
        while self._waiting and len(members) < _GROUP_SIZE and size < largest:
            members.append(self._waiting.popleft())
            completion, _ = members[-1]
            size += len(completion.result) + len(completion.record)
        return _Group(members, time.monotonic(), size) if members else None

    async def _store(self, group: _Group) -> None:
        began = time.monotonic()
        applied: list[bool] | None = None
        while applied is None:
            try:
                applied = await self._scripts.finish(completion for completion, _ in group.members)
            except REDIS_ERRORS as error:
                if is_wrong_type(error) and not await self._has_too_large(group):
                    await self._store_apart(group, error)
                    return
                # The step may have been done although its answer was lost, so it is simply repeated: what was
                # applied the first time is refused the second.
                group.failures += 1
                await self._redis_health.failed(error)
                if await self._divide(group, error):
                    return
        seconds = time.monotonic() - began
        repeated = group.failures > 0
        if not repeated:
            self._budget.carried(group.size, seconds)
        self._redis_health.answered()
        for (completion, stored), was_applied in zip(group.members, applied, strict=True):
            if not was_applied and not repeated:
                self._events.send(CompletionRefused(_name(completion)))
            if not stored.done():
                stored.set_result(was_applied or repeated)
        refused = 0 if repeated else applied.count(False)
        self._events.send(CompletionsStored(len(group.members) - refused, refused, seconds))

    async def _divide(self, group: _Group, error: Exception) -> bool:
        """Put a failed group aside in parts if it may have failed for a reason of its own; returns whether it was.

        A refusal that concerns every write, such as READONLY, is not such a reason, and neither is an outage.
        """
        code = error_code(error)
        parts: list[list[Waiting]]
        if code == "OOM":
            members = await self._that_may_fit(group)
            small = [member for member in members if not member[0].needs_memory]
            large = [member for member in members if member[0].needs_memory]
            # Those that free memory go first. They go alone, because Redis refuses the whole of a larger group.
            is_alone = len(members) == 1 and not self._waiting and not self._apart
            if len(members) == len(group.members) and (not large or is_alone):
                return False
            parts = [small, large]
        elif code not in ("", "ERR") or not await self._limit.read():
            return False
        else:
            members = self._without_too_large(group)
            if len(members) == len(group.members):
                # A lost connection may be chance. A timeout of a Redis that answers shows what the link carries.
                if not is_timeout(error) and group.failures < _FAILURES_TO_DIVIDE:
                    return False
                self._budget.halve()
            middle = (len(members) + 1) // 2
            parts = [members[:middle], members[middle:]]
        self._apart.extend(_Group(part, group.began, failures=group.failures) for part in parts if part)
        self._arrived.set()
        return True

    async def _has_too_large(self, group: _Group) -> bool:
        largest = max(len(completion.result) for completion, _ in group.members)
        return largest > ALWAYS_ACCEPTED and await self._limit.read() and largest > self._limit.bytes

    def _without_too_large(self, group: _Group) -> list[Waiting]:
        """Return the members of a failed group that Redis may still take; others fail with `ResultTooLarge`."""
        is_hopeless = len(group.members) == 1 and group.failures >= _FAILURES_TO_GIVE_UP

        def problem(size: int) -> str:
            if size > self._limit.bytes:
                return self._beyond_limit()
            if is_hopeless and size > ALWAYS_ACCEPTED:
                return f"not stored in {_FAILURES_TO_GIVE_UP} tries although Redis answers"
            return ""

        return _kept(group, problem)

    async def _that_may_fit(self, group: _Group) -> list[Waiting]:
        """Return the members that a full Redis may have memory for later; others fail with `ResultTooLarge`."""
        if max(len(completion.result) for completion, _ in group.members) <= ALWAYS_ACCEPTED:
            return group.members
        limit = await self._limit.read_memory()
        return _kept(group, lambda size: f"limit {limit:,} (half of Redis's maxmemory)" if size > limit else "")

    def _beyond_limit(self) -> str:
        return f"limit {self._limit.bytes:,} (proto-max-bulk-len, or half of client-query-buffer-limit, of Redis)"

    async def _store_apart(self, group: _Group, error: Exception) -> None:
        """Store each completion of a group alone, so that one that cannot be stored does not block the others.

        That one is dropped as if it had come too late: its lease ends, and the job is delivered again.
        """
        if len(group.members) > 1:
            for one in group.members:
                await self._store(_Group([one], group.began))
            return
        ((completion, stored),) = group.members
        self._events.send(CompletionDropped(_name(completion), type(error).__name__, error_code(error)))
        if not stored.done():
            stored.set_result(False)


def _name(completion: Completion) -> str:
    return completion.job_id.decode(errors="backslashreplace")


def _kept(group: _Group, problem: Callable[[int], str]) -> list[Waiting]:
    """Return the members of a group whose results have no problem; the others fail with `ResultTooLarge`.

    `problem` takes the bytes of a result, and returns an empty string if there is none.
    """
    kept = []
    for completion, stored in group.members:
        size = len(completion.result)
        if not (found := problem(size)):
            kept.append((completion, stored))
        elif not stored.done():
            stored.set_exception(_too_large(size, found))
    return kept


def _too_large(size: int, problem: str) -> ResultTooLarge:
    return ResultTooLarge(f"result too large: {size:,} bytes, {problem}")
