"""Sends jobs to Redis in calls that the link carries within a timeout."""

import time
from collections.abc import Mapping, Sequence

from redis.exceptions import TimeoutError as RedisTimeoutError

from worker.queue.scripts import Enqueue, EnqueueState, Full, Scripts, Unmarked
from worker.redis.link_budget import LinkBudget

MOST_BYTES = 1024 * 1024
"""What one call sends at most, but for its last job."""
# What one call sends at least, over a link that does not carry more within the timeout.
_LEAST_BYTES = 16 * 1024


def send_budget(timeout_s: float) -> LinkBudget:
    """Return how much one call may send over a link of which nothing is known yet."""
    return LinkBudget(first=MOST_BYTES, least=_LEAST_BYTES, most=MOST_BYTES, timeout_s=timeout_s)


async def send_some(
    scripts: Scripts,
    budget: LinkBudget,
    jobs: Sequence[Enqueue],
    batch: str = "",
    bounds: Mapping[str, int] | None = None,
) -> list[EnqueueState | Unmarked | Full]:
    """Put the first of these jobs on their queues: as many as the link carries in one call, or fewer.

    Returns and raises what `Scripts.enqueue` does for those.
    """
    count = size = 0
    while count < len(jobs) and size < budget.size:
        size += len(jobs[count].payload)
        count += 1
    began = time.monotonic()
    try:
        answers = await scripts.enqueue(jobs[:count], batch, bounds)
    except (RedisTimeoutError, TimeoutError):
        budget.halve()
        raise
    budget.carried(size, time.monotonic() - began)
    return answers
