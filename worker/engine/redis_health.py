"""Whether Redis answers this worker, told once at each change, and how long to wait before asking again."""

import asyncio
import random
import re

import structlog
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError

_log = structlog.stdlib.get_logger(__name__)

# What a broken, frozen, full or read-only Redis shows itself as.
REDIS_ERRORS = (RedisError, OSError, asyncio.TimeoutError)

# Redis 6 wraps what a script ran into: "Error running script (...): @user_script:9: ...: -OOM command not ...".
_CODE = re.compile(r"(?:^|: -?)([A-Z]{3,})(?= )", re.ASCII)

_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.05, 1.0


def error_code(error: Exception) -> str:
    """Return the code word of what Redis answered, such as READONLY or OOM, or "" if there is none.

    The rest of the message is for nobody's eyes: it can repeat arguments.
    """
    if isinstance(error, OutOfMemoryError):
        return "OOM"
    if isinstance(error, ReadOnlyError):
        return "READONLY"
    told = _CODE.search(str(error))
    return told[1] if told else ""


class RedisHealth:
    """Shared by the loops of one worker that talk to Redis.

    `is_up` turns false with the first failed call and true with the next one that succeeds.
    """

    def __init__(self) -> None:
        self.is_up = True
        self._failures = 0
        self._told_codes: set[str] = set()

    async def failed(self, error: Exception) -> None:
        """Note a failed call and wait before the next: 50 ms at first, up to a second, with jitter."""
        code = error_code(error)
        # A call that waits when Redis is demoted is answered with UNBLOCKED; only the next shows why.
        if self.is_up or (code and code not in self._told_codes):
            self.is_up = False
            self._told_codes.add(code)
            _log.error(
                "Redis does not answer or takes no writes; jobs in hand are kept, nothing new is claimed",
                action="redis_lost",
                error=type(error).__name__,
                code=code,
            )
        delay = min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2.0 ** min(self._failures, 10))
        self._failures += 1
        await asyncio.sleep(delay * random.uniform(0.5, 1))

    def answered(self) -> None:
        """Note a call that succeeded."""
        if not self.is_up:
            _log.info("Redis answers again", action="redis_back", failed_calls=self._failures)
        self.is_up = True
        self._failures = 0
        self._told_codes.clear()
