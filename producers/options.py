"""When a job runs, and under which key: what each method that enqueues one takes."""

import math
import time
from datetime import datetime
from typing import TypedDict

from worker.errors import InvalidPayload, PayloadProblem


class EnqueueOptions(TypedDict, total=False):
    """Options of one job; each may be left out.

    `idempotency_key`: calls with the same key and the same kind of job make one job. `delay`: seconds from now
    before which the job does not run. `run_at`: the same as an instant with a time zone, by this machine's clock.
    """

    idempotency_key: str | None
    delay: float
    run_at: datetime | None


def read_options(
    *, idempotency_key: str | None = None, delay: float | None = None, run_at: datetime | None = None
) -> tuple[str | None, float]:
    """Return the key of `EnqueueOptions`, and after how many seconds the job may run. Raises `InvalidPayload`.

    An instant that has passed means now. An option of another name is a `TypeError`.
    """
    if run_at is not None:
        if delay is not None:
            raise _invalid("run_at", "give either delay or run_at")
        if run_at.tzinfo is None:
            raise _invalid("run_at", "needs a time zone")
        delay = max(0.0, run_at.timestamp() - time.time())
    if not math.isfinite(delay or 0):
        raise _invalid("delay", "must be a number of seconds")
    return idempotency_key, delay or 0


def _invalid(field: str, reason: str) -> InvalidPayload:
    return InvalidPayload("options", [PayloadProblem(field, reason)])
