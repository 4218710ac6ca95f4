"""Counts the ended jobs that their batches have missed, and drops the jobs that a cancelled batch still has."""

import asyncio

from arq.jobs import Deserializer

from worker.engine.context import EngineContext
from worker.errors import BatchNotFound, RemoteError
from worker.queue.batches import BatchOutcome, BatchStore

INTERVAL_S = 5.0
_CANCELLED = asyncio.CancelledError.__name__


class BatchWatch:
    """Looks at batches none of whose jobs has ended lately; one worker of a fleet looks at each.

    Usually a job is counted in the step that ends it. That step does not know the batch if the envelope could not
    be read, or if the worker is of an earlier version.
    """

    def __init__(self, context: EngineContext, deserializer: Deserializer | None) -> None:
        self._batches = BatchStore(context.redis)
        self._deserializer = deserializer

    async def look(self) -> None:
        """Look at each batch whose turn it is."""
        while batch_id := await self._batches.next_silent():
            try:
                await self._batches.settle(batch_id, self._outcome)
            except BatchNotFound:
                # Another program has overwritten it; the script has forgotten it.
                continue

    def _outcome(self, result: bytes) -> BatchOutcome:
        if self._deserializer is None:
            return "lost"
        try:
            message = self._deserializer(result)
            success, value = message["s"], message["r"]
        except Exception:  # noqa: BLE001 (a user's deserializer may raise anything; the job has ended all the same)
            return "lost"
        if success:
            return "complete"
        kind = value.kind if isinstance(value, RemoteError) else type(value).__name__
        # A dead letter that was discarded since: one that is kept is counted without a look at its result.
        return "aborted" if kind == _CANCELLED else "dead"
