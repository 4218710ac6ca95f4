"""Histograms of seconds: the limits of their buckets, and percentiles."""

import math
from bisect import bisect_left
from collections.abc import Sequence

BOUNDS_S: tuple[float, ...] = tuple(
    round(step * 10.0**power, 3) for power in range(-3, 4) for step in (1.0, 2.0, 5.0)
)[:-1]
"""The upper limits of the buckets, from 1 ms to 2,000 s; the last bucket, beyond them, has none."""
BUCKETS = len(BOUNDS_S) + 1


def bucket_of(seconds: float) -> int:
    """Return the number of the bucket that these seconds belong to."""
    return bisect_left(BOUNDS_S, seconds)


def percentile(buckets: Sequence[float], share: float) -> float | None:
    """Return the seconds that a share (0 to 1) of all do not exceed; `None` if the histogram is empty.

    Within a bucket they count as spread evenly. Beyond the last limit it is that limit.
    """
    total = sum(buckets)
    if total <= 0:
        return None
    wanted, below = share * total, 0.0
    for number, count in enumerate(buckets):
        if count and below + count >= wanted:
            lower = BOUNDS_S[number - 1] if number else 0.0
            upper = BOUNDS_S[number] if number < len(BOUNDS_S) else math.inf
            return lower + (upper - lower) * (wanted - below) / count if upper < math.inf else lower
        below += count
    return BOUNDS_S[-1]
