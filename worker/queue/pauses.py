"""Queues and functions that an operator has paused: no job of them is started until they are resumed.

A pause is an entry in one hash, which `claim.lua` reads whenever a worker claims. So it holds for all workers from
the next claim on, survives their restarts and that of Redis, and cannot be missed. Jobs that run when it begins
finish. Workers of an earlier version and arq's own ignore it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from redis.asyncio import Redis

from worker.contract import JOBS, QUEUES
from worker.contract.actions import Action
from worker.queue import keys
from worker.queue.actions import make_room
from worker.queue.heartbeats import Heartbeat, redis_time

PausedKind = Literal["queue", "function"]
_KINDS: tuple[PausedKind, ...] = ("queue", "function")


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True)

    since_ms: int = 0
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """A paused queue or function, and who paused it when (in ms by Redis's clock) and why.

    `by` and `reason` are empty, and `since_ms` is 0, if another program wrote the entry.
    """

    kind: PausedKind
    name: str
    since_ms: int = 0
    by: str = ""
    reason: str = ""

    @property
    def field(self) -> str:
        """How Redis and the workers name what is paused."""
        return field_of(self.kind, self.name)

    @property
    def option(self) -> str:
        """How the commands `pause` and `resume` name it."""
        return self.name if self.kind == "queue" else f"--function {self.name}"


def field_of(kind: PausedKind, name: str) -> str:
    """Return how Redis names a paused queue or function."""
    return f"{kind}:{name}"


def known_names(queues: Iterable[str], alive: Iterable[Heartbeat]) -> dict[PausedKind, set[str]]:
    """Return the queues and functions that there are: of this version, in `queues`, and of the workers."""
    workers = list(alive)
    return {
        "queue": {*QUEUES, *queues, *(queue for worker in workers for queue in worker.queues)},
        "function": {*JOBS, *(function for worker in workers for function in worker.functions)},
    }


async def pause(redis: "Redis[bytes]", new: Iterable[Pause], action: Action) -> None:
    """Store pauses, and the act that asked for them, in one step. Raises what `make_room` raises."""
    await make_room(redis)
    async with redis.pipeline(transaction=True) as pipe:
        for each in new:
            stored = _Stored(since_ms=each.since_ms, by=each.by, reason=each.reason)
            pipe.hset(keys.PAUSES, each.field, stored.model_dump_json())
        pipe.hset(keys.ACTIONS, action.id, action.model_dump_json())
        await pipe.execute()


async def resume(redis: "Redis[bytes]", paused: Iterable[Pause], action: Action) -> None:
    """Remove pauses and store the act, in one step; workers claim the jobs when they poll next."""
    await make_room(redis)
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hdel(keys.PAUSES, *(each.field for each in paused))
        pipe.hset(keys.ACTIONS, action.id, action.model_dump_json())
        await pipe.execute()


async def read_pauses(redis: "Redis[bytes]") -> list[Pause]:
    """Return what is paused, queues first, each kind by name."""
    return parse_pauses(await redis.hgetall(keys.PAUSES))


async def now_ms(redis: "Redis[bytes]") -> int:
    """Return Redis's time in milliseconds, as a pause has it."""
    return round((await redis_time(redis)).timestamp() * 1000)


def parse_pauses(stored: Mapping[bytes, bytes]) -> list[Pause]:
    """Return the pauses of a hash. An entry that another program wrote pauses too, but says nothing else."""
    named = ((*field.decode(errors="backslashreplace").partition(":"), raw) for field, raw in stored.items())
    found = [
        Pause(kind, name, **dict(_parsed(raw)))
        for stored_kind, _, name, raw in named
        for kind in _KINDS
        if kind == stored_kind
    ]
    return sorted(found, key=lambda it: (_KINDS.index(it.kind), it.name))


def _parsed(raw: bytes) -> _Stored:
    try:
        return _Stored.model_validate_json(raw)
    except ValidationError:
        return _Stored()
