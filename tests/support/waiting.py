"""Waits on conditions, so that no test waits for time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


async def until(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """Wait for a condition, awaited if need be, to hold, and return what it said.

    Raises `TimeoutError` if it does not hold within `seconds`.
    """
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if isinstance(found, Awaitable):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.01)
