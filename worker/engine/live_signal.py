"""Shows that the event loop of a worker runs, to whatever restarts a process that hangs."""

import asyncio
import os

from worker.engine.events import Events, LivenessNotShown
from worker.liveness import BEAT_INTERVAL_S, LiveFile

# So much later than a worker whose event loop is blocked ends itself, that its own log line says why.
_MARGIN_S = 30.0


async def show_liveness(worker_id: str, longest_run_s: float, events: Events, registry: str = "") -> None:
    """Write this worker's file every second until cancelled, and then remove it.

    A job that blocks the event loop is allowed to for as long as a job may run, `longest_run_s` seconds, and half a
    minute more.
    """
    file: LiveFile | None = None
    reported = False
    try:
        while True:
            try:
                if file is None:
                    file = LiveFile(worker_id, longest_run_s + _MARGIN_S, registry)
                file.beat()
            except OSError as error:
                # Another try may succeed: the disk was full, or the folder is made by hand.
                if not reported:
                    where = error.filename or "the file"
                    events.send(LivenessNotShown(f"{where}: {os.strerror(error.errno or 0)}"))
                reported = True
            await asyncio.sleep(BEAT_INTERVAL_S)
    finally:
        if file is not None:
            file.close()
