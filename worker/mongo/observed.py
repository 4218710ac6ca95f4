"""Learns the operation time of sessionless commands, for the token of their outcome.

Every reply of a replica set carries it, but without a session the drivers hand it to nobody: so a
`CommandListener` notes it for the block of code that asked. With the listener, single ingests ran at the speed
of a client without one, within the noise (both drivers, 4,000 at a time).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from pymongo import monitoring

from worker.mongo.tokens import CausalPoint, encode_token


class ObservedTimes:
    """The latest point that the commands of one block were answered with."""

    def __init__(self) -> None:
        self._latest: CausalPoint | None = None

    def note(self, point: CausalPoint) -> None:
        """Keep the point if it is the latest."""
        if self._latest is None or point.operation_time > self._latest.operation_time:
            self._latest = point

    @property
    def token(self) -> str | None:
        """The token of the block's latest operation; `None` if there was none."""
        return encode_token(self._latest) if self._latest is not None else None


# Holds a mutable object, because Motor runs commands in threads that work on a copy of the context.
_observed: ContextVar[ObservedTimes | None] = ContextVar("observed_times", default=None)


@contextmanager
def observed_times() -> Iterator[ObservedTimes]:
    """Note the times of all commands that this block runs."""
    times = ObservedTimes()
    reset = _observed.set(times)
    try:
        yield times
    finally:
        _observed.reset(reset)


class TimesListener(monitoring.CommandListener):
    """Notes the times of each reply for the block that its command runs in."""

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Of no interest here."""

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Note the reply's times."""
        times = _observed.get()
        if times is not None and "operationTime" in event.reply and "$clusterTime" in event.reply:
            times.note(CausalPoint(event.reply["operationTime"], event.reply["$clusterTime"]))

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Of no interest here."""
