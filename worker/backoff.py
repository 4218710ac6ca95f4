"""The one exponential back-off with jitter, for everything that is retried, reconnected or restarted."""

import random
from dataclasses import dataclass

# 2 ** 30 exceeds every limit in use. The bound keeps a large number of failures from overflowing a float.
_LARGEST_EXPONENT = 30


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that double from `first_s` up to `longest_s` seconds, each spread by jitter."""

    first_s: float
    longest_s: float

    def delay_s(self, failures: int, *, jitter: float | None = None) -> float:
        """Return the seconds to wait after that many failures in a row, counted from 1.

        The delay lies between half of its nominal length (`jitter` 0) and the whole of it (`jitter` 1), so that
        callers which failed together do not come back together. The jitter is random if it is not given.
        """
        nominal_s = min(self.longest_s, self.first_s * 2.0 ** min(max(failures, 1) - 1, _LARGEST_EXPONENT))
        return nominal_s * (0.5 + (random.random() if jitter is None else jitter) / 2)
