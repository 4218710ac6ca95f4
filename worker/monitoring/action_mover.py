"""Moves what operators did from Redis to where it is kept, as long as a worker runs."""

import asyncio
import secrets

import structlog
from redis.asyncio import Redis

from worker.errors import RegistryError
from worker.queue.actions import StoreActions, move_actions
from worker.redis.errors import REDIS_ERRORS

_EVERY_S = 2.0

_log = structlog.stdlib.get_logger(__name__)


async def keep_moving_actions(redis: "Redis[bytes]", store: StoreActions) -> None:
    """Move actions again and again; outlives outages of both sides, and reports the first failure in a row."""
    reported = False
    while True:
        # Spread, so that workers that were started together do not ask together.
        await asyncio.sleep(_EVERY_S * (0.9 + 0.2 * secrets.randbelow(1000) / 1000))
        try:
            await move_actions(redis, store)
            reported = False
        except REDIS_ERRORS:
            # The engine reports that.
            continue
        except RegistryError as error:
            if not reported:
                _log.warning(
                    "what operators did is not recorded in MongoDB yet; it waits in Redis",
                    action="actions_wait",
                    error=str(error),
                )
            reported = True
