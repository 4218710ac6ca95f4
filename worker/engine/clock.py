"""Redis's clock, which decides what is due, as a worker knows it between two claims."""

import time


def now_ms() -> int:
    """Return this machine's time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class RedisClock:
    """The difference between this machine's clock and Redis's, from what Redis answered last."""

    def __init__(self) -> None:
        self.ahead_ms = 0
        """By how many milliseconds Redis's clock is ahead of this machine's."""

    def observe(self, redis_ms: int) -> None:
        """Note the time that Redis has just answered, in milliseconds since 1970."""
        self.ahead_ms = redis_ms - now_ms()
