"""The log line about a function that this worker does not have."""

import math
from collections.abc import Callable

from worker.engine.events import TryEnded
from worker.log_lines import LineLogger

_jobs = LineLogger("arq.worker")

_AGAIN_AFTER_S = 3600.0
_KEPT, _LONGEST_NAME = 100, 200


class UnknownFunctionLog:
    """Logs a function that the worker lacks once in an hour, although its jobs come back every few seconds.

    Any program that can write to Redis chooses names, so few are remembered, and none of any length.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._logged_at: dict[str, float] = {}

    def try_ended(self, event: TryEnded) -> None:
        """Take a try that ended because the worker lacks its function."""
        name, now = event.function[:_LONGEST_NAME], self._clock()
        if now - self._logged_at.get(name, -math.inf) < _AGAIN_AFTER_S:
            return
        self._logged_at.pop(name, None)
        while len(self._logged_at) >= _KEPT:
            del self._logged_at[next(iter(self._logged_at))]
        self._logged_at[name] = now
        _jobs.warning(
            "this worker has no function of this name; its jobs are handed back every few seconds",
            action="function_unknown",
            job_id=event.job_id,
            function=name,
        )
