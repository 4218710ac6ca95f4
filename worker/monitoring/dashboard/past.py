"""What the pages say of the history of ended jobs if it is off, or if MongoDB is unavailable."""

from collections.abc import Awaitable
from typing import TypeVar

from worker.errors import OutageError
from worker.monitoring.dashboard.services import Services

T = TypeVar("T")

HISTORY_OFF = (
    "No history of ended jobs is kept, because WORKER_HISTORY_DAYS is 0. Set it to the days that it shall reach, "
    "then restart the workers and this page."
)


async def from_history(services: Services, call: Awaitable[T]) -> tuple[T | None, str]:
    """Return what a search of the history returns; if MongoDB is unavailable, `None` and what to do.

    Raises `OutageError` if Redis is unavailable.
    """
    try:
        return await services.read_mongo(services.read(call)), ""
    except OutageError as error:
        if error.dependency == "Redis":
            raise
        return None, f"{error}. Restore MongoDB, then load this page again."
