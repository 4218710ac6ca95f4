"""What a worker was configured with, read once from arq's worker and never changed afterwards."""

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from arq.cron import CronJob
from arq.jobs import Deserializer, Serializer
from arq.worker import Function, Worker

JobContext = dict[Any, Any]
Hook = Callable[[JobContext], Awaitable[None]]

# How long the id of an ended cron job stays taken; as long as with arq.
_CRON_ID_HOLD_MS = 60_000
# As long as arq's default timeout.
_RUN_WITHOUT_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFunction:
    """One function of a worker, with the settings that apply to its jobs.

    A `timeout_s` of `None` means no timeout. `result_life_ms` is how long a result is kept: -1 for ever, 0 not at
    all. `id_hold_ms` is how long the id of an ended job stays taken: see `worker.queue.completion.Completion`.
    """

    coroutine: Callable[..., Awaitable[Any]]
    max_tries: int
    timeout_s: float | None
    result_life_ms: int
    id_hold_ms: int = 0

    @classmethod
    def of(cls, worker: Worker, function: Function | CronJob) -> Self:
        """Return a function of an arq worker; its own settings come before the worker's."""
        forever = _first(function.keep_result_forever, worker.keep_result_forever)
        return cls(
            coroutine=function.coroutine,
            max_tries=_first(function.max_tries, worker.max_tries),
            timeout_s=_first(function.timeout_s, worker.job_timeout_s),
            result_life_ms=-1 if forever else int(_first(function.keep_result_s, worker.keep_result_s) * 1000),
            id_hold_ms=_id_hold_ms(function),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """The settings that decide how jobs run.

    `unknown` has the settings that apply to a job whose function is not known. `context` is arq's `ctx` of the
    worker, from which each job's own context is made. A `max_burst_jobs` below 0 means no limit.
    """

    functions: Mapping[str, JobFunction]
    unknown: JobFunction
    context: JobContext
    serializer: Serializer | None
    deserializer: Deserializer | None
    max_jobs: int
    retry_jobs: bool
    allow_abort_jobs: bool
    poll_delay_s: float
    burst: bool
    max_burst_jobs: int
    on_job_start: Hook | None
    on_job_end: Hook | None
    after_job_end: Hook | None

    @property
    def hook_timeout_s(self) -> float | None:
        """How many seconds a hook may take: as long as a job without a timeout of its own; `None`: no limit."""
        timeout_s = self.unknown.timeout_s
        return timeout_s if timeout_s is not None and math.isfinite(timeout_s) else None

    @property
    def longest_run_s(self) -> float:
        """How many seconds a try may take; without a timeout it has no limit, and counts as 5 minutes."""
        timeouts = [function.timeout_s for function in (*self.functions.values(), self.unknown)]
        return max(
            _RUN_WITHOUT_TIMEOUT_S if timeout_s is None or math.isinf(timeout_s) else timeout_s
            for timeout_s in timeouts
        )

    @classmethod
    def of(cls, worker: Worker) -> Self:
        """Return the options of an arq worker whose `on_startup` has run."""
        unknown = Function("", _not_called, None, None, None, None)
        return cls(
            functions={name: JobFunction.of(worker, function) for name, function in worker.functions.items()},
            unknown=JobFunction.of(worker, unknown),
            context=worker.ctx,
            serializer=worker.job_serializer,
            deserializer=worker.job_deserializer,
            max_jobs=worker.max_jobs,
            retry_jobs=worker.retry_jobs,
            allow_abort_jobs=worker.allow_abort_jobs,
            poll_delay_s=worker.poll_delay_s,
            burst=worker.burst,
            max_burst_jobs=worker.max_burst_jobs,
            on_job_start=worker.on_job_start,
            on_job_end=worker.on_job_end,
            after_job_end=worker.after_job_end,
        )


async def _not_called(ctx: JobContext, *args: Any, **kwargs: Any) -> None:
    """Stand in for a function that is not known."""


def _first(own: Any, default: Any) -> Any:
    return default if own is None else own


def _id_hold_ms(function: Function | CronJob) -> int:
    if not isinstance(function, CronJob):
        return 0
    # An id that names its planned run is needed once: what is enqueued under it meanwhile is dropped (above 0). An
    # id of the user's own serves every run: the next one waits (below 0).
    return _CRON_ID_HOLD_MS if function.unique and not function.job_id else -_CRON_ID_HOLD_MS
