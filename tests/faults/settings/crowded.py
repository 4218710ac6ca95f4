"""The product's worker with a job that fills the event loop's executor until the file `CROWD_GATE` exists.

`CROWD_LOOP=asyncio` runs it on asyncio's own event loop instead of uvloop.
"""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from arq.worker import func

from worker import main

_GATE = Path(os.environ["CROWD_GATE"])
# The executor has at most 32 threads, whatever the machine.
_CALLS = 40
_LONGEST_S = 100


def _block() -> None:
    ends = time.monotonic() + _LONGEST_S
    while not _GATE.exists() and time.monotonic() < ends:
        time.sleep(0.02)


async def crowd(ctx: dict[str, Any]) -> None:
    """Block every thread of the executor."""
    calls = [asyncio.to_thread(_block) for _ in range(_CALLS)]
    await ctx["redis"].incr("runs")
    await asyncio.gather(*calls)


if os.environ.get("CROWD_LOOP") == "asyncio":
    asyncio.set_event_loop_policy(None)

WorkerSettings = main.WorkerSettings
WorkerSettings.functions = [*WorkerSettings.functions, func(crowd, name="crowd")]
