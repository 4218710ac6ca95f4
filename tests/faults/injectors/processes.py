"""A worker's process killed or frozen, by real signals."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.acceptance.conftest import WorkerRun


async def sigkill(*workers: WorkerRun) -> None:
    """SIGKILL the workers, all before any is waited for. What they held stays leased; nothing is undone."""
    for worker in workers:
        worker.send(signal.SIGKILL)
    assert await asyncio.gather(*(worker.ended() for worker in workers)) == [-signal.SIGKILL] * len(workers)


@contextmanager
def frozen(worker: WorkerRun) -> Iterator[None]:
    """SIGSTOP a worker within the block, SIGCONT it afterwards: to others it looks dead, and does not know it."""
    worker.send(signal.SIGSTOP)
    try:
        yield
    finally:
        worker.send(signal.SIGCONT)
