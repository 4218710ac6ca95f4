"""Kills and freezes worker processes with real signals."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.acceptance.conftest import WorkerRun


async def sigkill(*workers: WorkerRun) -> None:
    """SIGKILL all the workers, then wait until they have ended. Their jobs stay leased; nothing is undone."""
    for worker in workers:
        worker.send(signal.SIGKILL)
    assert await asyncio.gather(*(worker.ended() for worker in workers)) == [-signal.SIGKILL] * len(workers)


@contextmanager
def frozen(worker: WorkerRun) -> Iterator[None]:
    """SIGSTOP a worker within the block and SIGCONT it afterwards. Others see it as dead; it does not notice."""
    worker.send(signal.SIGSTOP)
    try:
        yield
    finally:
        worker.send(signal.SIGCONT)
