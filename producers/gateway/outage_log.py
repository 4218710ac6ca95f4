"""Logs why requests are refused while Redis or MongoDB is unavailable: once in a while, not for each of them."""

import time
from collections.abc import Callable

import structlog

from worker.errors import RegistryError, class_name

_log = structlog.stdlib.get_logger(__name__)
_INTERVAL_S = 5.0


class OutageLog:
    """Logs one error in five seconds at most. Their messages name servers, which clients do not see."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next_at = 0.0

    def note(self, error: RegistryError) -> None:
        """Log an error, unless another one was logged just before."""
        if self._clock() < self._next_at:
            return
        self._next_at = self._clock() + _INTERVAL_S
        _log.warning(
            "requests are refused", action="gateway_unavailable", error=class_name(error), reason=str(error)
        )
