"""How often somebody may try to log in: per name, and per address."""

import time
from collections import deque
from collections.abc import Callable

WINDOW_S = 300.0
MOST_PER_NAME = 10
MOST_PER_ADDRESS = 30
# Names are whatever somebody types.
_MOST_KNOWN = 10_000


class LoginLimit:
    """Counts the tries of the last five minutes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: dict[tuple[str, str], deque[float]] = {}

    def try_now(self, name: str, address: str) -> float:
        """Count a try and return 0.0, or return the seconds until the next one is allowed.

        It is counted before the password is looked at, so tries at the same time count too.
        """
        now = self._clock()
        bounds = {("name", name): MOST_PER_NAME, ("address", address): MOST_PER_ADDRESS}
        wait_s = max(self._wait_s(key, most, now) for key, most in bounds.items())
        if wait_s == 0.0:
            for key in bounds:
                self._tries.setdefault(key, deque()).append(now)
            while len(self._tries) > _MOST_KNOWN:
                del self._tries[next(iter(self._tries))]
        return wait_s

    def succeeded(self, name: str) -> None:
        """Forget the tries of a name whose password was right."""
        self._tries.pop(("name", name), None)

    def _wait_s(self, key: tuple[str, str], most: int, now: float) -> float:
        tries = self._tries.get(key, deque())
        while tries and tries[0] <= now - WINDOW_S:
            tries.popleft()
        return tries[0] + WINDOW_S - now if len(tries) >= most else 0.0
