"""The worker of `faulty` in Berlin, with a job every second, and a clock that is `CLOCK_SHIFT` seconds ahead."""

import os
from typing import Any
from zoneinfo import ZoneInfo

from arq.cron import cron

from tests.faults.injectors.clocks import shift_clocks
from tests.faults.settings.faulty import WorkerSettings

__all__ = ["WorkerSettings"]


async def tick(ctx: dict[str, Any]) -> None:
    """Note the run: its planned time is part of its id."""
    await ctx["redis"].rpush("ticks", ctx["job_id"].rpartition(":")[2])


WorkerSettings.cron_jobs = [cron(tick, name="tick", second=None, microsecond=0)]  # type: ignore[attr-defined]
WorkerSettings.timezone = ZoneInfo("Europe/Berlin")  # type: ignore[attr-defined]

# All modules that read the clock have been imported by now, including arq's command line.
shift_clocks(float(os.environ["CLOCK_SHIFT"]), ("arq", "worker"))
