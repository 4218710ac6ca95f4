"""What `hospital-worker queue --watch` remembers of the last minutes, and shows as sparklines."""

import math
from collections import defaultdict, deque
from collections.abc import Iterable
from functools import partial

from worker.monitoring.ended_counter import EndedCounter
from worker.queue.stats import QueueStats

# The table of the queues has this much room left in 80 columns.
_MOST_SAMPLES = 18
_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Iterable[float]) -> str:
    """Return one bar for each value, from zero to the greatest of them; only zero has the lowest bar."""
    values = list(values)
    # At least 1: all bars of zeros are the lowest.
    greatest = max(values, default=0) or 1
    return "".join(_BARS[math.ceil(value * (len(_BARS) - 1) / greatest)] for value in values)


class Trends:
    """The lengths of the queues and the rate of jobs that end, over the last samples."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, deque[int]] = defaultdict(partial(deque, maxlen=_MOST_SAMPLES))
        self._rates: deque[float] = deque(maxlen=_MOST_SAMPLES)
        self._ended = EndedCounter()
        self._at_s: float | None = None

    def add(self, state: QueueStats, at_s: float) -> None:
        """Remember a sample that was taken at `at_s`, in seconds of any clock."""
        for name, queue in state.queues.items():
            self._waiting[name].append(queue.waiting)
        ended = self._ended.since_last_look(worker for worker, _ in state.workers)
        if self._at_s is not None and at_s > self._at_s:
            self._rates.append(ended / (at_s - self._at_s))
        self._at_s = at_s

    def waiting(self) -> dict[str, str]:
        """Return the sparkline of each queue."""
        return {name: sparkline(lengths) for name, lengths in self._waiting.items()}

    def ended(self) -> str:
        """Return in words how many jobs end, as the workers report it."""
        if not self._rates:
            return "jobs ended per second: not known yet"
        return f"jobs ended per second: {self._rates[-1]:,.1f}  {sparkline(self._rates)}"
