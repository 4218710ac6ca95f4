"""What pages that have a part from Redis say if MongoDB is unavailable, or if no history is kept."""

from collections.abc import Awaitable
from typing import TypeVar

from worker.errors import OutageError
from worker.monitoring.dashboard.services import Services

T = TypeVar("T")

HISTORY_OFF = (
    "No history of ended jobs is kept, because WORKER_HISTORY_DAYS is 0. Set it to the days that it shall reach, "
    "then restart the workers and this page."
)


async def from_mongo(services: Services, call: Awaitable[T]) -> tuple[T | None, str]:
    """Return what a call returns that uses MongoDB, and perhaps Redis; without MongoDB, `None` and what to do.

    Raises `OutageError` if Redis is unavailable.
    """
    try:
        return await services.read_mongo(services.read(call)), ""
    except OutageError as error:
        if error.dependency == "Redis":
            raise
        return None, f"{error}. Restore MongoDB, then load this page again."
