"""One Redis with the users of docs/security.md."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from arq.connections import ArqRedis
from redis.exceptions import NoPermissionError

from tests.security.scanner import CANARY
from worker.codec import Codec
from worker.embedded import EmbeddedRedis
from worker.engine.arq_redis import open_arq_redis
from worker.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
RULES = {
    name: rules.split()
    for name, rules in re.findall(
        r"^user (hospital_\w+) on >PASSWORD (.+)$", (ROOT / "docs" / "security.md").read_text(), re.MULTILINE
    )
}
# Exempt from all rules, or sent only by the tests' client.
_ALWAYS_ALLOWED = {"auth", "client", "config", "acl"}


def granted(user: str) -> set[str]:
    """Return the commands that the rules of a user allow."""
    return {rule[1:] for rule in RULES[user] if rule.startswith("+")}


class Fleet:
    """One Redis with the users of the documentation."""

    def __init__(self, server: EmbeddedRedis, admin: ArqRedis) -> None:
        self.admin = admin
        self.admin_url = server.url
        self._port = server.port

    def url(self, user: str) -> str:
        return f"redis://{user}:{CANARY}@127.0.0.1:{self._port}/0"

    def settings(self, user: str) -> Settings:
        return load_settings(redis_url=self.url(user), redis_timeout=1, worker_lease=2)

    def open(self, user: str) -> ArqRedis:
        return open_arq_redis(self.settings(user), Codec())

    async def refusals(self) -> list[str]:
        """Return the commands that the rules have refused so far, except those that nothing depends on."""
        refused = [str(entry["object"]) for entry in await self.admin.acl_log()]
        # The engine asks for the limit of a value's size, and does without it. Redis 6.2 names no subcommands.
        return [command for command in refused if command.partition("|")[0] not in {"client", "config"}]

    async def allowed(self, user: str, commands: list[list[str]]) -> list[str]:
        """Return those of the commands that the rules allow a user."""
        redis = self.open(user)
        passed = []
        for command in commands:
            try:
                await redis.execute_command(*command)
            except NoPermissionError:
                continue
            passed.append(" ".join(command))
        await redis.aclose(close_connection_pool=True)
        return passed

    async def used(self) -> set[str]:
        """Return the commands that Redis received since the last call."""
        found = {name.removeprefix("cmdstat_") for name in await self.admin.info("commandstats")}
        await self.admin.config_resetstat()
        names = {"script|load" if name == "script" else name for name in found}
        return {name for name in names if name.partition("|")[0] not in _ALWAYS_ALLOWED}

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(10):
            while True:
                found = condition()
                if await found if asyncio.iscoroutine(found) else found:
                    return
                await asyncio.sleep(0.02)
