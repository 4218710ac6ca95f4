"""Waits for conditions, so that no test sleeps for a fixed time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


async def until(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """Wait until a condition, which may be asynchronous, returns a true value, and return that value.

    Raises `TimeoutError` if it does not do so within `seconds`.
    """
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if isinstance(found, Awaitable):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.01)
