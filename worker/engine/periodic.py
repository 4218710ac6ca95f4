"""Steps that a worker takes over and over."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

from worker.engine.redis_health import RedisHealth
from worker.redis.errors import REDIS_ERRORS


async def every(seconds: float, redis_health: RedisHealth, step: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Take a step over and over, `seconds` apart; the loop outlives a step that Redis does not answer."""
    while True:
        try:
            await step()
        except REDIS_ERRORS as error:
            await redis_health.failed(error)
        # Spread by a tenth, so that workers that were started together do not ask together.
        await asyncio.sleep(seconds * (0.9 + 0.2 * secrets.randbelow(1000) / 1000))
