"""A job that fails a given number of times."""

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from arq.worker import func


class Failing:
    """A job that raises in its first `times` runs, and records the time and the number of each try."""

    def __init__(self, error: Callable[[int], BaseException], times: int = 1_000) -> None:
        self._error = error
        self._times = times
        self.tries: list[int] = []
        self.at: list[float] = []

    def function(self, **options: Any) -> Any:
        async def job(ctx: dict[str, Any]) -> str:
            self.tries.append(ctx["job_try"])
            self.at.append(time.monotonic())
            if len(self.tries) <= self._times:
                raise self._error(ctx["job_try"])
            return "done"

        return func(job, name="job", **options)

    @property
    def pauses(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.at)]
