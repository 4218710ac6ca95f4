"""Counts the connections of the shared client by the driver's own pool events."""

import threading
from collections import Counter
from dataclasses import dataclass

from pymongo import monitoring

Address = tuple[str, int | None]


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """Connections of the shared client.

    `checked_out`: in use now, of all servers. `highest`: the most ever in use at once at one server.
    `created`: ever opened.
    """

    checked_out: int
    highest: int
    created: int


class PoolCounter(monitoring.ConnectionPoolListener):
    """Keeps the counts. Motor's events come from its threads, hence the lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._out: Counter[Address] = Counter()
        self._highest = 0
        self._created = 0

    @property
    def statistics(self) -> PoolStatistics:
        """The counts as they are now."""
        with self._lock:
            return PoolStatistics(self._out.total(), self._highest, self._created)

    def connection_created(self, event: monitoring.ConnectionCreatedEvent) -> None:  # noqa: ARG002 - the driver calls it
        """Count one more connection ever opened."""
        with self._lock:
            self._created += 1

    def connection_checked_out(self, event: monitoring.ConnectionCheckedOutEvent) -> None:
        """Count one more connection in use."""
        with self._lock:
            self._out[event.address] += 1
            self._highest = max(self._highest, self._out[event.address])

    def connection_checked_in(self, event: monitoring.ConnectionCheckedInEvent) -> None:
        """Count one connection less in use."""
        with self._lock:
            self._out[event.address] -= 1

    def pool_created(self, event: monitoring.PoolCreatedEvent) -> None:
        """Of no interest here."""

    def pool_ready(self, event: monitoring.PoolReadyEvent) -> None:
        """Of no interest here."""

    def pool_cleared(self, event: monitoring.PoolClearedEvent) -> None:
        """Of no interest here."""

    def pool_closed(self, event: monitoring.PoolClosedEvent) -> None:
        """Of no interest here."""

    def connection_ready(self, event: monitoring.ConnectionReadyEvent) -> None:
        """Of no interest here."""

    def connection_closed(self, event: monitoring.ConnectionClosedEvent) -> None:
        """Of no interest here."""

    def connection_check_out_started(self, event: monitoring.ConnectionCheckOutStartedEvent) -> None:
        """Of no interest here."""

    def connection_check_out_failed(self, event: monitoring.ConnectionCheckOutFailedEvent) -> None:
        """Of no interest here."""
