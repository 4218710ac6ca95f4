"""How much waits in the outbox, as metrics: read from MongoDB, so that they are true while Redis is unavailable."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from worker.contract.outbox import OutboxSize
from worker.errors import RegistryError
from worker.monitoring.samples import Samples

READ_EVERY_S = 10.0


class OutboxFacts:
    """What `read` returned last. It raises `RegistryError` if the outbox cannot be read."""

    def __init__(self, read: Callable[[], Awaitable[OutboxSize]]) -> None:
        self._read = read
        self._size: OutboxSize | None = None

    async def look(self) -> None:
        """Read the size again; if it cannot be read, it is not known."""
        try:
            self._size = await self._read()
        except RegistryError:
            # The jobs report what does not work then.
            self._size = None

    def add_to(self, samples: Samples) -> None:
        """Add the facts, if they are known."""
        if self._size is None:
            return
        oldest = self._size.oldest_due
        age_s = (datetime.now(UTC) - oldest).total_seconds() if oldest is not None else 0.0
        samples.set("hospital_outbox_jobs", self._size.jobs)
        samples.set("hospital_outbox_oldest_due_age_seconds", max(0.0, age_s))
