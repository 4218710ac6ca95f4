"""The worker of `faulty` with an additional job that logs more than a pipe holds."""

import asyncio
import logging
from typing import Any

from arq.worker import func

from tests.faults.settings import faulty
from worker.jobs.register_hospital import register_hospital


async def shouting(ctx: dict[str, Any], payload: dict[str, Any]) -> Any:
    """Log 200 kB, then register."""
    for _ in range(50):
        logging.getLogger("shouting").warning("x" * 4_000)
        await asyncio.sleep(0)
    return await register_hospital(ctx, payload)


WorkerSettings = faulty.WorkerSettings
WorkerSettings.functions = [*WorkerSettings.functions, func(shouting, name="shouting")]
