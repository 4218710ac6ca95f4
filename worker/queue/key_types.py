"""The type of each key of ours in Redis, and which keys hold another one because another program wrote them."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from worker.errors import ConfigurationError
from worker.queue import keys
from worker.redis.errors import error_code

KeyType = Literal["hash", "list", "stream", "string", "zset"]

_FIXED: dict[str, KeyType] = {
    keys.ABORT: "zset",
    keys.LEASES: "hash",
    keys.CRASHES: "hash",
    keys.CLOCK: "hash",
    keys.DEAD: "hash",
    keys.DEAD_INDEX: "zset",
    keys.DEAD_ARCHIVER: "string",
    keys.DEAD_OPERATIONS: "zset",
    keys.CLAIMS: "hash",
    keys.WORKERS: "hash",
    keys.WORKERS_SEEN: "zset",
    keys.UNKNOWN: "zset",
    keys.PAUSES: "hash",
    keys.ACTIONS: "hash",
    keys.ENDED: "stream",
    keys.ENDED_LEFT_OUT: "string",
    keys.ENDED_MOVER: "string",
    keys.OUTBOX_RELAY: "string",
    keys.BATCHES: "zset",
    keys.CANCELLED_BATCHES: "zset",
    keys.WAITERS: "string",
}
_OF_QUEUE: dict[str, KeyType] = {
    "": "zset",
    keys.LEASED_SUFFIX: "zset",
    keys.WAKEUP_SUFFIX: "list",
    keys.CRON_SUFFIX: "hash",
    keys.HEALTH_CHECK_SUFFIX: "string",
}
# A command for each type that costs the same however much the key holds. TYPE would need a permission that the
# rules of earlier versions do not grant.
_READ = {"hash": "HLEN", "list": "LLEN", "stream": "XLEN", "string": "GET", "zset": "ZCARD"}


class ForeignKey(NamedTuple):
    """A key of ours that holds another type; `found` as Redis names it, or "another type" if it may not."""

    key: str
    found: str
    expected: KeyType

    def __str__(self) -> str:
        return f"the key {self.key} in Redis holds {self.found}, not {self.expected}"


def typed_keys(queues: Sequence[str]) -> dict[str, KeyType]:
    """Return every key of ours that is not of a single job, with its type."""
    of_queues = {queue + suffix: kind for queue in queues for suffix, kind in _OF_QUEUE.items()}
    return _FIXED | of_queues


def refuse_clashing_names(queues: Sequence[str]) -> None:
    """Raise `ConfigurationError`, with one line, if a queue is called like another key of ours."""
    taken = dict.fromkeys(_FIXED, "the engine")
    suffixes = (*filter(None, _OF_QUEUE), keys.RATE_SUFFIX)
    taken |= {queue + suffix: queue for queue in queues for suffix in suffixes}
    for queue in queues:
        if queue in taken:
            raise ConfigurationError(
                f"a queue cannot be called {queue}: {taken[queue]} uses that key. Give it another name"
            )


async def foreign_keys(redis: "Redis[bytes]", queues: Sequence[str]) -> list[ForeignKey]:
    """Return the keys of ours that hold another type. Two round trips at most; raises redis-py's errors."""
    expected = typed_keys(queues)
    async with redis.pipeline(transaction=False) as pipe:
        for key, kind in expected.items():
            pipe.execute_command(_READ[kind], key)
        answers = await pipe.execute(raise_on_error=False)
    foreign = [key for key, answer in zip(expected, answers, strict=True) if _is_wrong_type(answer)]
    return [ForeignKey(key, await _type_of(redis, key), expected[key]) for key in foreign]


async def refuse_foreign_keys(redis: "Redis[bytes]", queues: Sequence[str]) -> None:
    """Raise `ConfigurationError`, with one line, if keys of ours hold another type; raises redis-py's errors."""
    found = await foreign_keys(redis, queues)
    if found:
        raise ConfigurationError(
            f"{'; '.join(map(str, found))}. Another program wrote it: find out which, then rename or delete the "
            f"key (redis-cli RENAME {found[0].key} NEW-NAME)"
        )


def _is_wrong_type(answer: object) -> bool:
    return isinstance(answer, RedisError) and error_code(answer) == "WRONGTYPE"


async def _type_of(redis: "Redis[bytes]", key: str) -> str:
    try:
        found: bytes = await redis.type(key)
    except ResponseError:
        # The user's rules may lack TYPE, which nothing else needs.
        return "another type"
    return found.decode(errors="backslashreplace")
