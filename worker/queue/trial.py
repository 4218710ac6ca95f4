"""A trial of what a worker does in Redis, before it serves: types of keys, permissions, and every script once.

Nothing is left behind: the scripts get a job and a queue that do not exist, and the one key that is written is
deleted, or expires.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from worker.errors import ConfigurationError, OutageError
from worker.queue import keys
from worker.queue.batches import BatchStore
from worker.queue.completion import Completion
from worker.queue.key_types import refuse_clashing_names, refuse_foreign_keys, typed_keys
from worker.queue.script_source import script_source
from worker.queue.scripts import RENEW_KEYS, Enqueue, Scripts
from worker.redis.errors import REDIS_ERRORS, error_code, refusal, translate
from worker.redis.startup import refuse_cluster_mode

_EXPIRES_MS = 60_000
_PREFIXES = (
    *(keys.IN_PROGRESS, keys.RESULT, keys.DIGEST, keys.TRIES, keys.HISTORY, keys.RATES),
    *(keys.BATCH, keys.BATCH_JOBS, keys.BATCH_ORDER, keys.BATCH_COMPLETION),
)
# A command for each type of key that needs the permission to write, and changes nothing: there is no such member.
_WRITE_NOTHING: dict[str, Callable[[str, str], tuple[str, ...]]] = {
    "hash": lambda key, member: ("HDEL", key, member),
    "zset": lambda key, member: ("ZREM", key, member),
    "list": lambda key, _: ("LTRIM", key, "0", "-1"),
    # Rules of earlier versions lack the commands of streams, and the worker does without.
    "stream": lambda key, _: ("EXISTS", key),
    # Only other programs read it, so it must not be touched.
    "string": lambda key, _: ("GET", key),
}


def commands_on_text(key: str) -> list[tuple[str, ...]]:
    """Return each command that a worker or a script sends, so that it fails or changes nothing on a key with text.

    Redis looks at permissions first, and then at the type of the key.
    """
    return [
        ("TIME",),
        ("SCRIPT LOAD", "return 0"),
        ("EVALSHA", "0" * 40, "0"),
        ("GET", key),
        ("MGET", key),
        ("EXISTS", key),
        ("EXPIRE", key, "60"),
        ("PEXPIRE", key, str(_EXPIRES_MS)),
        ("INCR", key),
        ("HGET", key, "field"),
        ("HSET", key, "field", "value"),
        ("HDEL", key, "field"),
        ("HLEN", key),
        ("HEXISTS", key, "field"),
        ("HGETALL", key),
        ("HMGET", key, "field"),
        ("ZADD", key, "0", "member"),
        ("ZREM", key, "member"),
        ("ZCARD", key),
        ("ZCOUNT", key, "0", "0"),
        ("ZSCORE", key, "member"),
        ("ZRANGE", key, "0", "0"),
        ("ZRANGEBYSCORE", key, "0", "0"),
        ("ZREMRANGEBYRANK", key, "0", "0"),
        ("LLEN", key),
        ("LPUSH", key, "value"),
        ("RPUSH", key, "value"),
        ("LTRIM", key, "0", "-1"),
        ("LRANGE", key, "0", "-1"),
        ("BLPOP", key, "0.01"),
        ("DEL", key),
    ]


async def try_queue(redis: "Redis[bytes]", queues: Sequence[str], lease_ms: int) -> None:
    """Do once, without effect, what a worker of these queues does in Redis.

    Raises `ConfigurationError`, with one line that says what to do, for a queue that is called like a key of ours,
    Redis in cluster mode, a key of ours that holds another type, a missing permission, or a script that cannot run.
    A Redis that is unavailable, or refuses writes for now, passes: the worker waits and is not ready meanwhile.
    """
    refuse_clashing_names(queues)
    name = f"trial:{secrets.token_hex(8)}"
    stage = "the commands that report types and permissions"
    try:
        # Without the right to ask, cluster mode shows in the first script.
        with suppress(ResponseError):
            await refuse_cluster_mode(redis, "Redis")
        await refuse_foreign_keys(redis, queues)
        await _refuse_missing_permissions(redis, queues, name)
        for script, call in _script_calls(redis, f"{queues[0]}:{name}", name, lease_ms).items():
            stage = f"the script {script}"
            await call()
    except REDIS_ERRORS as error:
        if isinstance(translate(error, ""), OutageError):
            return
        reason = error_code(error) or type(error).__name__
        raise ConfigurationError(f"Redis cannot run {stage} ({reason})") from None


async def _refuse_missing_permissions(redis: "Redis[bytes]", queues: Sequence[str], name: str) -> None:
    text = keys.JOB + name
    accesses = [_WRITE_NOTHING[kind](key, name) for key, kind in typed_keys(queues).items()]
    accesses += [("DEL", prefix + name) for prefix in _PREFIXES]
    accesses += [("ZREM", f"{queues[0]}:{name}{suffix}", name) for suffix in ("", keys.LEASED_SUFFIX)]
    # First and alone: without the text, commands that are meant to fail on it could write.
    set_text = ("SET", text, "trial", "PX", str(_EXPIRES_MS))
    refused = await _refused(redis, [set_text])
    if not refused:
        refused = await _refused(redis, [*commands_on_text(text), *accesses])
    missing_commands = sorted({command[0].lower() for command, what in refused if what == "command"})
    missing_keys = sorted({command[1] for command, what in refused if what == "key"})
    if missing_commands or missing_keys:
        parts = [
            f"may not {what} {', '.join(names)}"
            for what, names in (("run", missing_commands), ("use the keys", missing_keys))
            if names
        ]
        raise ConfigurationError(
            f"the user in Redis {' and '.join(parts)}; compare its rules (ACL LIST) with docs/security.md"
        )


async def _refused(redis: "Redis[bytes]", commands: Sequence[tuple[str, ...]]) -> list[tuple[tuple[str, ...], str]]:
    """Send commands; return those that the user may not send, each with what is refused: command or key."""
    async with redis.pipeline(transaction=False) as pipe:
        for command in commands:
            pipe.execute_command(*command)
        answers = await pipe.execute(raise_on_error=False)
    refusals = [(command, refusal(answer)) for command, answer in zip(commands, answers, strict=True)]
    return [(command, what) for command, what in refusals if what]


def _script_calls(
    redis: "Redis[bytes]", queue: str, name: str, lease_ms: int
) -> dict[str, Callable[[], Awaitable[Any]]]:
    scripts, batches = Scripts(redis), BatchStore(redis)
    renew = redis.register_script(script_source("renew"))
    return {
        "enqueue": lambda: scripts.enqueue([]),
        "claim": lambda: scripts.claim(name, lease_ms, 1, [(queue, 1)]),
        "renew": lambda: renew(keys=RENEW_KEYS, args=[lease_ms]),
        "finish": lambda: scripts.finish([Completion(name.encode(), queue, name, "done")]),
        "recover": lambda: scripts.recover(name, [queue]),
        "redrive": lambda: scripts.redrive([Enqueue(name, queue, b"")]),
        "stats": lambda: scripts.counts([queue]),
        "batch_settle": lambda: batches.settle_page(name, 0),
    }
