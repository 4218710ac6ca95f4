"""What a worker tries before it serves, against the rules of a real Redis."""

import itertools
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from arq.connections import ArqRedis
from redis.asyncio import Redis

from worker.embedded import EmbeddedRedis
from worker.errors import ConfigurationError
from worker.queue import keys
from worker.queue.key_types import typed_keys
from worker.queue.trial import commands_on_text, try_queue

_numbers = itertools.count(1)
_SECURITY = Path(__file__).resolve().parents[3] / "docs" / "security.md"
(RULES,) = re.findall(r"^user hospital_worker on >PASSWORD (.+)$", _SECURITY.read_text("utf-8"), re.MULTILINE)
COMMANDS = sorted({command[0].lower() for command in commands_on_text("key")} | {"set"})


class Limited:
    """A user of its own on a Redis of other tests, and queues that no other test uses."""

    def __init__(self, admin: ArqRedis, port: int) -> None:
        self._admin = admin
        self.user = f"limited{next(_numbers)}"
        self.queues = [f"arq:queue:{self.user}"]
        self.redis = Redis.from_url(f"redis://{self.user}:password@127.0.0.1:{port}/0")

    async def trial(self, *changes: str) -> str:
        """Try with the documented rules and these changes; return the refusal, or an empty string."""
        rules = ("reset", "on", ">password", *RULES.split(), *changes)
        await self._admin.execute_command("ACL", "SETUSER", self.user, *rules)
        try:
            await try_queue(self.redis, self.queues, 1_000)
        except ConfigurationError as error:
            return str(error)
        return ""


@pytest_asyncio.fixture
async def limited(redis: ArqRedis, redis_server: EmbeddedRedis) -> AsyncIterator[Limited]:
    limited = Limited(redis, redis_server.port)
    yield limited
    await limited.redis.aclose(close_connection_pool=True)
    await redis.execute_command("ACL", "DELUSER", limited.user)


async def test_the_documented_rules_suffice(limited: Limited, redis: ArqRedis) -> None:
    assert await limited.trial() == ""
    left = [key async for key in redis.scan_iter(match="*trial*")]
    assert left == []


@pytest.mark.parametrize("command", COMMANDS)
async def test_each_missing_command_is_named(limited: Limited, command: str) -> None:
    refusal = await limited.trial("-" + command.replace(" ", "|").replace("script|load", "script"))
    assert refusal.startswith(f"the user in Redis may not run {command}; compare its rules")


async def test_a_user_without_scripts_is_refused_in_one_line(limited: Limited) -> None:
    refusal = await limited.trial("-evalsha", "-script")
    assert refusal.startswith("the user in Redis may not run evalsha, script load; ")
    assert "\n" not in refusal


@pytest.mark.parametrize(
    ("pattern", "missing"),
    [
        ("~arq:[^a]*", [keys.ABORT, keys.ACTIONS]),
        ("~arq:[^b]*", [keys.BATCHES, keys.CANCELLED_BATCHES, "arq:batch:trial", "arq:batch-jobs:trial"]),
        ("~arq:[^c]*", [keys.CLOCK, keys.CRASHES, keys.CLAIMS]),
        ("~arq:[^d]*", [keys.DEAD, keys.DEAD_INDEX, keys.DEAD_ARCHIVER, keys.DEAD_OPERATIONS]),
        ("~arq:[^p]*", [keys.PAUSES]),
        ("~arq:[^w]*", [keys.WORKERS, keys.WORKERS_SEEN, keys.WAITERS]),
        ("~arq:[^u]*", [keys.UNKNOWN]),
        ("~arq:[^h]*", ["arq:history:trial"]),
        ("~arq:[^i]*", ["arq:in-progress:trial"]),
        ("~arq:[^r]*", ["arq:result:trial", "arq:retry:trial"]),
        ("~arq:[^l]*", [keys.LEASES]),
        ("~arq:[^q]*", ["arq:queue:limited"]),
        ("~arq:[^j]*", ["arq:job:trial"]),
    ],
)
async def test_keys_that_a_user_may_not_use_are_named(limited: Limited, pattern: str, missing: list[str]) -> None:
    refusal = await limited.trial("resetkeys", pattern)
    assert refusal.startswith("the user in Redis may not use the keys ")
    assert all(name in refusal for name in missing), refusal
    granted = [key for key in typed_keys([]) if key not in missing and key in refusal]
    assert granted == []


async def test_the_type_of_a_foreign_key_is_not_needed(limited: Limited, redis: ArqRedis) -> None:
    """A user with the rules of an earlier version may not ask for it; the refusal names the key all the same."""
    key = limited.queues[0]
    await redis.set(key, "foreign")
    assert f"the key {key} in Redis holds another type, not zset" in await limited.trial("-type")
    assert f"the key {key} in Redis holds string, not zset" in await limited.trial("+type")
    await redis.delete(key)


async def test_a_full_redis_is_not_refused(own_redis: EmbeddedRedis) -> None:
    """Its queues can only get shorter if workers start."""
    redis: Any = Redis.from_url(own_redis.url)
    await redis.config_set("maxmemory", "1")
    await try_queue(redis, ["arq:queue"], 1_000)
    assert await redis.dbsize() == 0
    await redis.aclose()
