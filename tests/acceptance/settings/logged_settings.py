"""Worker settings of a user of arq, who configures his own logging."""

import json
import logging
from typing import Any

from worker.codec import Codec
from worker.engine.arq_redis import open_arq_redis
from worker.engine.worker import LeaseWorker
from worker.settings import load_settings

import arq.worker  # isort: skip

_settings = load_settings()

arq.worker.Worker = LeaseWorker  # type: ignore[misc]


class OrderError(Exception):
    """An error with what its log line shall have in `extra`."""

    def __init__(self, order: int) -> None:
        super().__init__("no such order")
        self.extra = {"order": order}


async def fine(ctx: dict[str, Any], value: str) -> str:
    """Return its argument."""
    return value


async def refused(ctx: dict[str, Any], order: int) -> None:
    """Fail for good."""
    raise OrderError(order)


async def _connect() -> Any:
    return open_arq_redis(_settings, Codec())


class JsonFormatter(logging.Formatter):
    """Shows what filters see of a record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of JSON."""
        attributes = {name: vars(record).get(name) for name in ("action", "job_id", "extra")}
        return json.dumps(
            {"name": record.name, "level": record.levelname, "text": record.getMessage(), **attributes}
        )


# As in arq's documentation: everything but arq's own loggers is left as it is, or switched off.
LOGGING = {
    "version": 1,
    "handlers": {"json": {"class": "logging.StreamHandler", "formatter": "json"}},
    "formatters": {"json": {"()": "logged_settings.JsonFormatter"}},
    "loggers": {"arq": {"handlers": ["json"], "level": "INFO"}},
}


class WorkerSettings:
    functions = [fine, refused]  # noqa: RUF012 (as arq reads it)
    open_redis = _connect


class LoudSettings:
    functions = [fine, refused]  # noqa: RUF012 (as arq reads it)
    open_redis = _connect
    log_results = True
