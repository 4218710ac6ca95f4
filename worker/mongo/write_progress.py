"""Whether MongoDB's primary still writes, as the driver's own checks of the servers say."""

import threading
import time
from collections.abc import Callable
from datetime import datetime

from pymongo import monitoring

# A primary that nobody writes to writes a note of its own every ten seconds (`periodicNoopIntervalSecs`), and the
# driver asks every two seconds.
_STANDSTILL_S = 15.0
# A server that does not answer is an outage that the driver notices by itself.
_ANSWERED_WITHIN_S = 5.0


class WriteProgress(monitoring.ServerHeartbeatListener):
    """Notes when the latest write of the primary changes.

    While the writes of a server are locked (`fsyncLock`, for a backup of its files), it answers checks and reads,
    and writes only take long: nothing distinguishes that from a command that is slow by itself, except that nobody
    else's write gets through either.

    A router says nothing of writes, so of a sharded cluster nothing is known. `clock` returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # The driver calls from threads of its own.
        self._lock = threading.Lock()
        self._latest: datetime | None = None
        self._changes = 0
        self._changed_at = self._checked_at = clock()

    @property
    def stands_still(self) -> bool:
        """Whether the primary answers, and has written nothing for longer than it ever does."""
        with self._lock:
            # One that was never seen to change is not known to do so.
            if self._changes < 2 or self._clock() - self._checked_at > _ANSWERED_WITHIN_S:
                return False
            return self._checked_at - self._changed_at >= _STANDSTILL_S

    def started(self, event: monitoring.ServerHeartbeatStartedEvent) -> None:
        """Do nothing; the driver requires the method."""

    def succeeded(self, event: monitoring.ServerHeartbeatSucceededEvent) -> None:
        """Take a server's answer to a check."""
        latest = event.reply.last_write_date
        if not event.reply.is_writable or latest is None:
            return
        with self._lock:
            self._checked_at = self._clock()
            if latest != self._latest:
                self._latest, self._changed_at = latest, self._checked_at
                self._changes += 1

    def failed(self, event: monitoring.ServerHeartbeatFailedEvent) -> None:
        """Do nothing; the driver requires the method."""
