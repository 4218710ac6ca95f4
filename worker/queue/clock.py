"""The queues' time: that of Redis's clock, but it does not run backwards. See `clock_ms` in prelude.lua."""

import math

# As in prelude.lua.
_LONGEST_AHEAD_MS = 10 * 365 * 86_400_000
_PACE = 0.9


def queue_time_ms(redis_ms: int, noted: bytes | None, ahead: bytes | None) -> int:
    """Return the queues' time when Redis's clock shows `redis_ms`; both in milliseconds since 1970.

    `noted` and `ahead` are the fields of the key `worker.queue.keys.CLOCK`.
    """
    try:
        noted_ms, ahead_ms = float(noted or b""), float(ahead or b"")
    except ValueError:
        return redis_ms
    if not (ahead_ms >= 0 and noted_ms + ahead_ms - redis_ms <= _LONGEST_AHEAD_MS):
        return redis_ms
    return max(redis_ms, math.floor(noted_ms + ahead_ms + _PACE * max(redis_ms - noted_ms, 0)))
