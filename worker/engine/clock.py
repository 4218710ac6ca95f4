"""Redis's clock, which decides what is due, as a worker knows it between two claims."""

import time


def now_ms() -> int:
    """Return this machine's time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class RedisClock:
    """This machine's clock, corrected by what Redis answered last."""

    def __init__(self) -> None:
        self._ahead_ms = 0

    def observe(self, redis_ms: int) -> None:
        """Note the time that Redis has just answered, in milliseconds since 1970."""
        self._ahead_ms = redis_ms - now_ms()

    def redis_ms(self, local_ms: int) -> int:
        """Return Redis's time at the instant `local_ms` of this machine's clock."""
        return local_ms + self._ahead_ms
