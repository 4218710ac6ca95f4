"""The product's worker, which notes each run of the completion job of an import in the file `COMPLETIONS`."""

import os
from pathlib import Path
from typing import Any

from arq.worker import func

from worker import main
from worker.contract.imports import CloseImportOutcome
from worker.jobs.close_import import close_import
from worker.queue import keys

_COMPLETIONS = Path(os.environ["COMPLETIONS"])


def _note(import_id: str, again: int) -> None:
    with _COMPLETIONS.open("a") as file:
        file.write(f"{import_id} {again}\n")


async def _noted(ctx: dict[str, Any], payload: dict[str, Any]) -> CloseImportOutcome:
    """A run that finds its own result was enqueued although an earlier one had ended."""
    _note(payload["import_id"], await ctx["redis"].exists(keys.RESULT + ctx["job_id"]))
    return await close_import(ctx, payload)


WorkerSettings = main.WorkerSettings
WorkerSettings.functions = [
    func(_noted, name=it.name) if it.name == close_import.__name__ else it for it in WorkerSettings.functions
]
