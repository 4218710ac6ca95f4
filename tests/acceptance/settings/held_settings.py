"""The product's worker, whose chunks of an import wait from a number on.

The file `HELD_FROM` has that number, and without it none waits. The file `CHUNKS_RUN` gets the number of each chunk
whenever one is run.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

from arq.worker import func

from worker import main
from worker.contract import ChunkOutcome
from worker.jobs.ingest_hospitals import ingest_hospitals

_HELD_FROM, _CHUNKS_RUN = Path(os.environ["HELD_FROM"]), Path(os.environ["CHUNKS_RUN"])


def _is_held(chunk: int) -> bool:
    return _HELD_FROM.exists() and chunk >= int(_HELD_FROM.read_text())


def _note(chunk: int) -> None:
    with _CHUNKS_RUN.open("a") as file:
        file.write(f"{chunk}\n")


async def _held(ctx: dict[str, Any], payload: dict[str, Any]) -> ChunkOutcome:
    _note(payload["chunk"])
    while _is_held(payload["chunk"]):
        await asyncio.sleep(0.02)
    return await ingest_hospitals(ctx, payload)


WorkerSettings = main.WorkerSettings
WorkerSettings.functions = [
    func(_held, name=it.name) if it.name == ingest_hospitals.__name__ else it for it in WorkerSettings.functions
]
