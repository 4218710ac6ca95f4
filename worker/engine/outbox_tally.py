"""What the outbox has, for the heartbeat of the worker that empties it."""

from worker.contract.outbox import OutboxSize
from worker.engine.events import Events, OutboxDocumentsUnreadable
from worker.engine.outbox_steps import OutboxSource
from worker.errors import RegistryError
from worker.queue.heartbeats import OutboxState


class OutboxTally:
    """Counts what looks at all hospitals find, and reports documents that are not jobs."""

    def __init__(self, events: Events, source: OutboxSource) -> None:
        self._events = events
        self._source = source
        self._size: OutboxSize | None = None
        self._met = self._unreadable = self._skipped = 0

    @property
    def state(self) -> OutboxState | None:
        """What the outbox has; `None` if that is not known."""
        if self._size is None:
            return None
        return OutboxState(
            jobs=max(0, self._size.jobs - self._unreadable),
            oldest_due=self._size.oldest_due,
            skipped=self._skipped,
            unreadable=self._unreadable,
        )

    async def measure(self) -> None:
        """Read how much there is; if it cannot be read, it is not known."""
        try:
            self._size = await self._source.size()
        except RegistryError:
            # The relay reports what does not work.
            self._size = None

    def begin_look(self) -> None:
        """Begin to count again."""
        self._met = 0

    def meet(self, unreadable: int) -> None:
        """Count documents that are not jobs."""
        self._met += unreadable

    def end_look(self, skipped: int) -> None:
        """Take what the look has found; `skipped` jobs cannot be enqueued."""
        self._skipped = skipped
        if self._met not in (0, self._unreadable):
            self._events.send(OutboxDocumentsUnreadable(self._met))
        self._unreadable = self._met
