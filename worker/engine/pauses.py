"""What an operator has paused, as the worker's last claim said."""

import time
from collections.abc import Callable

from worker.engine.waiting_line import WaitingLine
from worker.queue.pauses import field_of


class Pauses:
    """Keeps claimed jobs of paused functions waiting. The claim itself takes none from a paused queue.

    `clock` returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lines: dict[str, WaitingLine] = {}
        self.names: frozenset[str] = frozenset()
        """What is paused, as `worker.queue.pauses` names it."""

    def claimed(self, paused: frozenset[str]) -> None:
        """Take what a claim says is paused."""
        if paused != self.names:
            self.names = paused
            self._lines = {name: line for name, line in self._lines.items() if name in paused}

    def has_queue(self, queue: str) -> bool:
        """Whether a queue is paused."""
        return field_of("queue", queue) in self.names

    def has_function(self, function: str) -> bool:
        """Whether a function is paused."""
        return field_of("function", function) in self.names

    def put_aside_s(self, function: str) -> float | None:
        """Return after how many seconds a claimed job of that function is due again; `None` if it may run."""
        name = field_of("function", function)
        if name not in self.names:
            return None
        return self._lines.setdefault(name, WaitingLine(self._clock)).wait_s()
