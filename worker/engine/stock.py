"""What can be had of retries and dead letters on arq's own worker, by wrapping each job's coroutine.

It cannot see jobs that arq ends by itself: malformed envelopes, unknown functions, expired payloads. A dead
dead letter is written just before arq stores the failure, not in the same step.
"""

import asyncio
import functools
import random
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from arq.connections import ArqRedis
from arq.utils import timestamp_ms, to_unix_ms
from arq.worker import Function, Retry, func

from worker.contract import DEFAULT_QUEUE
from worker.engine.redis_health import REDIS_ERRORS
from worker.engine.retry_policy import GiveUp, decide
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter, Failure, payload_text
from worker.queue.dead_letter_store import DeadLetterStore
from worker.redis.client import address
from worker.settings import Settings

# arq's own time-out ends a job for good, so ours comes first.
_ARQ_TIMEOUT_LEAD_S = 5.0
# arq counts every run as a try, outages too; those are taken back here, and the limit is watched here.
_ARQ_MAX_TRIES = 1_000_000


def tell_failed_start(settings: Settings) -> None:
    """Have a Redis that arq's worker cannot use at its start told in one line instead of a traceback.

    arq connects before it calls anything of a user's, so only what reports the end of the program can tell it.
    `start_succeeded` takes this back.
    """

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not isinstance(error, REDIS_ERRORS):
            sys.__excepthook__(kind, error, trace)
            return
        where = address(settings)
        sys.stderr.write(f"The worker cannot start: REDIS_URL: no usable Redis at {where}: {error}\n")

    sys.excepthook = hook


def start_succeeded() -> None:
    """Have errors told in full again."""
    sys.excepthook = sys.__excepthook__


def stock_function(
    coroutine: Callable[..., Awaitable[Any]], *, queue: str = DEFAULT_QUEUE, timeout_s: float, max_tries: int
) -> Function:
    """Return a job's coroutine as an arq function that retries by this service's rules."""

    @functools.wraps(coroutine)
    async def guarded(ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> Any:
        deadline = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                return await coroutine({**ctx, "job_deadline": deadline}, *args, **kwargs)
        except asyncio.CancelledError:
            # A deploy or an abort; after an abort arq deletes the counter anyway.
            await ctx["redis"].decr(keys.TRIES + ctx["job_id"])
            raise
        except Exception as error:
            tries: int = ctx["job_try"]
            decision = decide(error, tries=tries, max_tries=max_tries, jitter=random.random())
            if isinstance(decision, GiveUp):
                await _keep_dead_letter(ctx, coroutine.__name__, queue, error, decision.reason)
                raise
            if not decision.spends_try:
                await ctx["redis"].decr(keys.TRIES + ctx["job_id"])
            raise Retry(defer=decision.delay_s) from error

    return func(guarded, name=coroutine.__name__, timeout=timeout_s + _ARQ_TIMEOUT_LEAD_S, max_tries=_ARQ_MAX_TRIES)


async def _keep_dead_letter(ctx: dict[Any, Any], function: str, queue: str, error: Exception, reason: str) -> None:
    redis: ArqRedis = ctx["redis"]
    job_id: str = ctx["job_id"]
    at_ms = timestamp_ms()
    dead_letter = DeadLetter(
        job_id=job_id,
        function=function,
        queue=queue,
        payload=payload_text(await redis.get(keys.JOB + job_id) or b""),
        reason=reason,
        failure=Failure.of(error, ctx["job_try"], at_ms),
        crashes=0,
        worker="arq",
        enqueued_at=datetime.fromtimestamp(to_unix_ms(ctx["enqueue_time"]) / 1000, UTC),
    )
    await DeadLetterStore(redis).add(dead_letter, at_ms)
