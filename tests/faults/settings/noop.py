"""Worker settings with one job that does nothing, so that its rate is the rate of the queue."""

from typing import Any

from worker.codec import Codec
from worker.engine.arq_redis import open_arq_redis
from worker.engine.worker import LeaseWorker
from worker.settings import load_settings

import arq.worker  # isort: skip

_settings = load_settings()


async def noop(_ctx: dict[str, Any]) -> None:
    """Do nothing."""


async def _connect() -> Any:
    return open_arq_redis(_settings, Codec())


arq.worker.Worker = LeaseWorker  # type: ignore[misc]


class WorkerSettings:
    functions = [noop]  # noqa: RUF012 (as arq reads it)
    open_redis = _connect
    lease = _settings.worker_lease
    max_jobs = _settings.worker_max_jobs
    keep_result = _settings.worker_keep_result
