"""Operations on many dead letters that this process runs: see `worker.queue.dead_operations`."""

import asyncio

import structlog

from worker.contract.acting import Acting
from worker.errors import RegistryError
from worker.queue.dead_operations import DeadOperations, Operation
from worker.redis.errors import REDIS_ERRORS, error_code

_log = structlog.stdlib.get_logger(__name__)
# For so long the end of the page waits for what it runs to be stopped and recorded.
_STOPPED_WITHIN_S = 2.0


class DeadRunner:
    """Runs operations beside the requests. One that Redis fails for is interrupted: anybody can continue it."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self.beginning = asyncio.Lock()
        """Held while an operation is looked up and begun, so that a form that is sent twice begins only one."""

    def start(self, operations: DeadOperations, operation: Operation, acting: Acting) -> None:
        """Run an operation that `operations` has begun or taken, and record how it ends."""
        task = asyncio.create_task(_run(operations, operation, acting), name=f"operation-{operation.id}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Stop what runs. It can be continued."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=_STOPPED_WITHIN_S)


async def _run(operations: DeadOperations, operation: Operation, acting: Acting) -> None:
    try:
        await _run_to_end(operations, operation, acting)
    except (*REDIS_ERRORS, RegistryError) as error:
        reason = error_code(error) or type(error).__name__
        _log.warning(
            "an operation was interrupted",
            action="dashboard_operation_interrupted",
            operation=operation.id,
            error=reason,
        )


async def _run_to_end(operations: DeadOperations, operation: Operation, acting: Acting) -> None:
    try:
        state = await operations.run(operation, _ignore)
    except asyncio.CancelledError:
        await operations.stop(operation.id)
        await operations.record_end(operation, acting, "stopped")
        raise
    await operations.record_end(operation, acting, state)


def _ignore(_done: int) -> None:
    """What is done is in Redis, where the page reads it."""
