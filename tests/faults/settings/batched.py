"""Worker settings with the jobs of a batch and its completion job, which note what they do in the file `LEDGER`."""

import asyncio
import os
from pathlib import Path
from typing import Any

from worker.codec import Codec
from worker.engine.arq_redis import open_arq_redis
from worker.engine.worker import LeaseWorker
from worker.errors import PermanentError
from worker.queue import keys
from worker.settings import load_settings

import arq.worker  # isort: skip

_settings = load_settings()


def _note(*words: object) -> None:
    line = " ".join(map(str, words)) + "\n"
    ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(ledger, line.encode())
    os.close(ledger)


async def step(ctx: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
    """Take a moment, count rows, and fail while the file `BROKEN` exists if the payload says so."""
    await asyncio.sleep(payload["seconds"])
    if payload["fragile"] and Path(os.environ["BROKEN"]).exists():
        raise PermanentError("fragile")
    ctx["batch"].count("rows", payload["rows"])
    _note("step", ctx["job_id"])
    return {"rows": payload["rows"]}


async def completed(ctx: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
    """Note how far the batch is. A run that finds its own result was enqueued although an earlier one had ended."""
    progress = await ctx["batch"].progress()
    again = await ctx["redis"].exists(keys.RESULT + ctx["job_id"])
    await asyncio.sleep(payload["seconds"])
    _note("completed", progress.batch_id, progress.state, progress.ended, progress.total, again)
    return {"ended": progress.ended}


async def _connect() -> Any:
    return open_arq_redis(_settings, Codec())


arq.worker.Worker = LeaseWorker  # type: ignore[misc]


class WorkerSettings:
    functions = [step, completed]  # noqa: RUF012 (as arq reads it)
    open_redis = _connect
    lease = _settings.worker_lease
    max_jobs = _settings.worker_max_jobs
    keep_result = _settings.worker_keep_result
