"""What operators did, on its way to MongoDB: an act is stored in Redis first, because MongoDB may be unavailable.

Workers move what is stored here every two seconds. Nothing is dropped: when too many acts wait, because MongoDB is
unavailable or no worker runs, further ones are refused.
"""

from collections.abc import Awaitable, Callable, Sequence

from pydantic import ValidationError
from redis.asyncio import Redis

from worker.contract.actions import Action
from worker.errors import OutageError
from worker.queue import keys

MOST_WAITING = 10_000
"""So many acts may wait for MongoDB; that is some 5 MB."""

StoreActions = Callable[[Sequence[Action]], Awaitable[None]]


async def make_room(redis: "Redis[bytes]") -> None:
    """Raise `OutageError` if so many acts wait that no further one is taken."""
    if await redis.hlen(keys.ACTIONS) >= MOST_WAITING:
        raise OutageError(
            f"{MOST_WAITING:,} actions wait in Redis to be recorded in MongoDB, so nothing was done: make MongoDB "
            "available and start a worker, which moves them"
        )


async def keep_action(redis: "Redis[bytes]", action: Action) -> None:
    """Store an act until it is moved. Raises what `make_room` raises."""
    await make_room(redis)
    await redis.hset(keys.ACTIONS, action.id, action.model_dump_json())


async def keep_end(redis: "Redis[bytes]", action: Action) -> None:
    """Store how an act ended. There is always room for it: room was made when its beginning was stored."""
    await redis.hset(keys.ACTIONS, action.id, action.model_dump_json())


async def move_actions(redis: "Redis[bytes]", store: StoreActions) -> int:
    """Hand all acts that wait to `store`, which may get one twice, and then forget them; returns how many."""
    found = await waiting_actions(redis)
    if found:
        await store(found)
        await redis.hdel(keys.ACTIONS, *(action.id for action in found))
    return len(found)


async def waiting_actions(redis: "Redis[bytes]") -> list[Action]:
    """Return the acts that wait to be moved, the oldest first.

    An entry that is not an act was written by another program, or by a later version. It stays, so that nothing is
    lost silently.
    """
    if not await redis.hlen(keys.ACTIONS):
        return []
    found = []
    for data in (await redis.hgetall(keys.ACTIONS)).values():
        try:
            found.append(Action.model_validate_json(data))
        except ValidationError:
            continue
    return sorted(found, key=lambda action: action.at)
