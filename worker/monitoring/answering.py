"""Bounds how long a page or a request waits for Redis or MongoDB, and names what does not answer."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from worker.errors import OperationRefused, OutageError, TransientError
from worker.redis.client import address
from worker.redis.errors import REDIS_ERRORS, translate
from worker.settings import Settings

T = TypeVar("T")


async def answered_by_redis(settings: Settings, call: Awaitable[T], seconds: float) -> T:
    """Return the result of a call to Redis, or raise this service's error for one of redis-py's, or for silence."""
    try:
        async with asyncio.timeout(seconds):
            return await call
    except REDIS_ERRORS as error:
        raise translate(error, address(settings)) from None


async def answered_by_mongo(call: Awaitable[T], seconds: float) -> T:
    """Return the result of a call to MongoDB. Raises `OutageError` if MongoDB is gone, silent or refuses it."""
    try:
        async with asyncio.timeout(seconds):
            return await call
    except TimeoutError:
        raise OutageError(f"MongoDB has not answered for {seconds:g} s: check that it runs") from None
    except (OperationRefused, TransientError) as error:
        # To a reader it is not there; the message says what to change.
        raise OutageError(str(error)) from None
