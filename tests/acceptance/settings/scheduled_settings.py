"""The product's worker with a cron job that leaves a key in Redis, two months from now."""

from datetime import UTC, datetime, timedelta
from typing import Any

from arq.cron import CronJob, cron

from worker import main


async def _report(ctx: dict[str, Any]) -> None:
    await ctx["redis"].set("arq:reported", 1)


class WorkerSettings(main.WorkerSettings):
    """As the product's; arq reads the attributes of the class itself, so they are copied to it below."""

    cron_jobs: tuple[CronJob, ...] = (
        cron(_report, name="cron:report", month=(datetime.now(UTC) + timedelta(days=60)).month, day=1, hour=3),
    )


for _name, _value in vars(main.WorkerSettings).items():
    if not _name.startswith("__"):
        setattr(WorkerSettings, _name, _value)
