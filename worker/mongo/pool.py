"""Counts the connections of the shared client from the driver's pool events."""

import threading
from collections import Counter
from dataclasses import dataclass

from pymongo import monitoring

Address = tuple[str, int | None]


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """Connection counts of the shared client.

    `checked_out` is the number in use now, over all servers. `highest` is the largest number ever in use at one
    server at the same time. `created` is the number ever opened.
    """

    checked_out: int
    highest: int
    created: int


class PoolCounter(monitoring.ConnectionPoolListener):
    """Keeps the counts. Motor sends events from its own threads, hence the lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._out: Counter[Address] = Counter()
        self._highest = 0
        self._created = 0

    @property
    def statistics(self) -> PoolStatistics:
        """The current counts."""
        with self._lock:
            return PoolStatistics(self._out.total(), self._highest, self._created)

    def connection_created(self, event: monitoring.ConnectionCreatedEvent) -> None:  # noqa: ARG002 - the driver calls it
        """Count an opened connection."""
        with self._lock:
            self._created += 1

    def connection_checked_out(self, event: monitoring.ConnectionCheckedOutEvent) -> None:
        """Count a connection that is taken into use."""
        with self._lock:
            self._out[event.address] += 1
            self._highest = max(self._highest, self._out[event.address])

    def connection_checked_in(self, event: monitoring.ConnectionCheckedInEvent) -> None:
        """Count a connection that is no longer in use."""
        with self._lock:
            self._out[event.address] -= 1

    def pool_created(self, event: monitoring.PoolCreatedEvent) -> None:
        """Do nothing; the driver requires the method."""

    def pool_ready(self, event: monitoring.PoolReadyEvent) -> None:
        """Do nothing; the driver requires the method."""

    def pool_cleared(self, event: monitoring.PoolClearedEvent) -> None:
        """Do nothing; the driver requires the method."""

    def pool_closed(self, event: monitoring.PoolClosedEvent) -> None:
        """Do nothing; the driver requires the method."""

    def connection_ready(self, event: monitoring.ConnectionReadyEvent) -> None:
        """Do nothing; the driver requires the method."""

    def connection_closed(self, event: monitoring.ConnectionClosedEvent) -> None:
        """Do nothing; the driver requires the method."""

    def connection_check_out_started(self, event: monitoring.ConnectionCheckOutStartedEvent) -> None:
        """Do nothing; the driver requires the method."""

    def connection_check_out_failed(self, event: monitoring.ConnectionCheckOutFailedEvent) -> None:
        """Do nothing; the driver requires the method."""
