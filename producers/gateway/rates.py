"""How often one key may be used: a token bucket for each, in the memory of this process."""

import time
from collections.abc import Callable

from producers.gateway.keys import ApiKey


class Rates:
    """Lets each key make `per_s` requests a second, and as many at once."""

    def __init__(self, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._clock = clock
        # Tokens that were left, and when.
        self._left: dict[bytes, tuple[float, float]] = {}

    def wait_s(self, key: ApiKey) -> float:
        """Count a request and return 0.0, or return the seconds until the next one is allowed."""
        now = self._clock()
        left, at = self._left.get(key.digest, (self._per_s, now))
        left = min(self._per_s, left + (now - at) * self._per_s)
        if left < 1:
            return (1 - left) / self._per_s
        self._left[key.digest] = (left - 1, now)
        return 0.0
