"""Operations on many dead letters: retried or discarded at a rate, to be watched, stopped and continued.

The command or the page that begins one does the work. Its plan and its progress are in Redis, and each step changes
dead letters and progress together (`dead_operation.lua`). So a command that is killed leaves an exact count, and
another can continue. Of two that run the same operation only the later goes on. An operation leaves out jobs that
died after it was begun, and so those that it has retried and that died again.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from redis.asyncio import Redis

from worker.contract.acting import Acting
from worker.errors import RegistryError
from worker.queue import keys
from worker.queue.actions import keep_end, make_room
from worker.queue.dead_letter_filter import DeadLetterFilter
from worker.queue.dead_letter_store import DeadLetterStore, StoredDeadLetter
from worker.queue.script_source import script_source
from worker.queue.scripts import Scripts

OperationAct = Literal["retry", "discard"]
OperationState = Literal["running", "interrupted", "stopped", "finished"]
StepState = Literal["gone", "finished", "stopped", "taken", "running"]
INTERRUPTED_AFTER_MS = 5_000
"""After so many ms without a step, an operation that runs counts as interrupted: its command is gone."""
_KEPT_S = 30 * 86_400
_MOST_KEPT = 1_000
_STEP = 200
# How often an operation that does nothing says that it runs, and how soon it notices that it was stopped.
_LOOK_S = 0.5


class OperationNotFound(RegistryError):
    """No operation has this id."""


class Plan(BaseModel):
    """What an operation does, to the dead letters of these ids, or without ids to those that `selection` names."""

    model_config = ConfigDict(frozen=True)

    act: OperationAct
    ids: tuple[str, ...] = ()
    selection: dict[str, str] = {}
    total: int = Field(ge=0)
    rate: float | None = Field(None, ge=0.01, allow_inf_nan=False)
    by: str
    reason: str = ""
    begun_ms: int

    @property
    def done_word(self) -> str:
        """What is done to each dead letter: retried or discarded."""
        return "retried" if self.act == "retry" else "discarded"

    @property
    def chosen(self) -> str:
        """Which dead letters it is about, in words."""
        return (
            ", ".join(f"{name} {value}" for name, value in self.selection.items()) or ", ".join(self.ids) or "all"
        )

    @property
    def rate_of_steps(self) -> tuple[int, float]:
        """How many dead letters a step takes at most, and how many seconds it has."""
        if self.rate is None:
            return _STEP, 0.0
        size = max(1, min(_STEP, int(self.rate * _LOOK_S)))
        return size, size / self.rate


class Operation(BaseModel):
    """An operation as it is now: `done` dead letters of `plan.total`; `left_out` could not be retried.

    `seen_ms` is when its command took its last step, by the queues' time.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    plan: Plan
    state: OperationState
    done: int
    left_out: int = 0
    seen_ms: int

    @property
    def began_at(self) -> datetime:
        """When it was begun."""
        return datetime.fromtimestamp(self.plan.begun_ms / 1000, UTC)


class DeadOperations:
    """Begins, runs, lists and stops operations."""

    def __init__(self, redis: "Redis[bytes]") -> None:
        self._redis = redis
        self._store = DeadLetterStore(redis)
        self._scripts = Scripts(redis)
        self._script = redis.register_script(script_source("dead_operation"))
        self._runner = secrets.token_hex(8)

    async def now_ms(self) -> int:
        """Return the queues' time; an operation is about the jobs that died before it was begun."""
        return (await self._scripts.counts([])).now_ms

    async def begin(self, plan: Plan, operation_id: str) -> Operation:
        """Store an operation and the record of who begins it; `run` does the work.

        `operation_id` is from `new_operation_id`. Raises what `worker.queue.actions.make_room` raises.
        """
        await make_room(self._redis)
        action = Acting(plan.by, plan.reason).on(
            plan.act, "dead letters", plan.ids, selection=plan.selection, count=plan.total, result="begun",
            operation=operation_id,
        )  # fmt: skip
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(
                keys.DEAD_OPERATION + operation_id,
                mapping={
                    "plan": plan.model_dump_json(), "state": "running", "runner": self._runner, "done": 0,
                    "seen": await self.now_ms(),
                },
            )  # fmt: skip
            pipe.expire(keys.DEAD_OPERATION + operation_id, _KEPT_S)
            pipe.zadd(keys.DEAD_OPERATIONS, {operation_id: plan.begun_ms})
            pipe.zremrangebyrank(keys.DEAD_OPERATIONS, 0, -_MOST_KEPT - 1)
            pipe.hset(keys.ACTIONS, action.id, action.model_dump_json())
            await pipe.execute()
        return await self.get(operation_id)

    async def record_end(self, operation: Operation, acting: Acting, state: StepState) -> Operation:
        """Store the record of how an operation ended, or was left; returns how far it came."""
        ended = await self.get(operation.id)
        plan = operation.plan
        result = state if state != "finished" or not ended.left_out else f"finished, {ended.left_out:,} left out"
        action = acting.on(
            plan.act, "dead letters", plan.ids, selection=plan.selection, count=ended.done, result=result,
            operation=operation.id,
        )  # fmt: skip
        await keep_end(self._redis, action)
        return ended

    async def take(self, operation_id: str) -> StepState:
        """Let this command run an operation that was stopped or interrupted; returns the state that it had."""
        return (await self._call(operation_id, "take"))[0]

    async def stop(self, operation_id: str) -> StepState:
        """Stop an operation after its current step; returns the state that it had."""
        return (await self._call(operation_id, "stop"))[0]

    async def run(self, operation: Operation, progress: Callable[[int], None]) -> StepState:
        """Retry or discard the dead letters at the rate of the plan, until all are done or somebody stops it.

        `progress` gets how many are done. Raises redis-py's errors; the operation can be continued then.
        """
        plan, meant = operation.plan, 0
        size, seconds = plan.rate_of_steps
        due = looked = time.monotonic()
        async for page in self._pages(plan):
            # Many pages in a row may have no letter that matches.
            if not page and time.monotonic() - looked >= _LOOK_S:
                state, looked = await self._look(operation.id), time.monotonic()
                if state != "running":
                    return state
            for start in range(0, len(page), size):
                part = page[start : start + size]
                state = await self._wait(operation.id, due)
                if state != "running":
                    return state
                due = max(due, time.monotonic() - seconds) + seconds * len(part) / size
                state, done, later = await self._call(operation.id, plan.act, plan.begun_ms, *_arguments(part))
                if state != "running":
                    return state
                meant += len(part) - later
                progress(done)
        done = await self._done(operation.id)
        return (await self._call(operation.id, "finish", max(0, operation.done + meant - done)))[0]

    async def get(self, operation_id: str) -> Operation:
        """Return an operation. Raises `OperationNotFound`."""
        found = await self._read(operation_id, await self.now_ms())
        if found is None:
            raise OperationNotFound(
                f"{operation_id}: no operation has this id; `hospital-worker dead operations list` shows all"
            )
        return found

    async def all(self) -> list[Operation]:
        """Return the operations that are kept, the newest first."""
        now_ms = await self.now_ms()
        names = [
            name.decode(errors="backslashreplace") for name in await self._redis.zrange(keys.DEAD_OPERATIONS, 0, -1)
        ]
        found = [await self._read(name, now_ms) for name in reversed(names)]
        return [operation for operation in found if operation is not None]

    async def _pages(self, plan: Plan) -> AsyncIterator[list[StoredDeadLetter]]:
        wanted = DeadLetterFilter.of_text(plan.selection)
        async for page in self._store.pages(wanted, plan.ids or None):
            yield page

    async def _wait(self, operation_id: str, due: float) -> StepState:
        """Wait until an instant of the monotonic clock, unless the operation does not run any more."""
        while (left := due - time.monotonic()) > 0:
            await asyncio.sleep(min(left, _LOOK_S))
            if left > _LOOK_S:
                state = await self._look(operation_id)
                if state != "running":
                    return state
        return "running"

    async def _look(self, operation_id: str) -> StepState:
        """Say that the operation runs, and return its state."""
        return (await self._call(operation_id, "discard", 0))[0]

    async def _done(self, operation_id: str) -> int:
        return int(await self._redis.hget(keys.DEAD_OPERATION + operation_id, "done") or 0)

    async def _call(self, operation_id: str, what: str, *arguments: object) -> tuple[StepState, int, int]:
        """Return its state, how many are done, and how many of a step died after the preview."""
        state, done, later = await self._script(
            keys=[keys.DEAD, keys.DEAD_INDEX, keys.ABORT, keys.DEAD_OPERATION + operation_id],
            args=[self._runner, what, _KEPT_S, *arguments],
        )
        return state.decode(), done, later

    async def _read(self, operation_id: str, now_ms: int) -> Operation | None:
        """Return a stored operation; `None` if there is none, or another program wrote it."""
        stored = await self._redis.hgetall(keys.DEAD_OPERATION + operation_id)
        try:
            plan = Plan.model_validate_json(stored.get(b"plan", b""))
            DeadLetterFilter.of_text(plan.selection)
            found = Operation(
                id=operation_id,
                plan=plan,
                state=stored.get(b"state", b"").decode(),
                done=stored.get(b"done", b"0").decode(),
                left_out=stored.get(b"left_out", b"0").decode(),
                seen_ms=stored.get(b"seen", b"0").decode(),
            )
        except (ValidationError, ValueError):
            return None
        if found.state == "running" and now_ms - found.seen_ms > INTERRUPTED_AFTER_MS:
            return found.model_copy(update={"state": "interrupted"})
        return found


def new_operation_id(now_ms: int) -> str:
    """Return an id that sorts by time and that a person can type."""
    return f"{datetime.fromtimestamp(now_ms / 1000, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _arguments(page: Sequence[StoredDeadLetter]) -> list[bytes | str]:
    arguments: list[bytes | str] = []
    for stored_id, _, dead in page:
        # Redis keeps the payload itself, unless an earlier version stored the dead letter.
        arguments += [stored_id, dead.queue, b"" if dead.payload_bytes else dead.envelope]
    return arguments
