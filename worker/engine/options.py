"""What a worker was configured with, read once from arq's worker and never changed afterwards."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from arq.cron import CronJob
from arq.jobs import Deserializer, Serializer
from arq.worker import Function, Worker

JobFunction = Function | CronJob
JobContext = dict[Any, Any]
Hook = Callable[[JobContext], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """The settings that decide how jobs run; a function's own settings come first.

    `context` is arq's `ctx` of the worker, from which each job's own context is made. A `max_burst_jobs` below 0 is
    no limit, and a `timeout_s` of `None` is no timeout.
    """

    functions: Mapping[str, JobFunction]
    context: JobContext
    serializer: Serializer | None
    deserializer: Deserializer | None
    max_jobs: int
    max_tries: int
    timeout_s: float | None
    keep_result_s: float
    keep_result_forever: bool
    retry_jobs: bool
    allow_abort_jobs: bool
    poll_delay_s: float
    burst: bool
    max_burst_jobs: int
    on_job_start: Hook | None
    on_job_end: Hook | None
    after_job_end: Hook | None

    @classmethod
    def of(cls, worker: Worker) -> Self:
        """Return the options of an arq worker whose `on_startup` has run."""
        return cls(
            functions=worker.functions,
            context=worker.ctx,
            serializer=worker.job_serializer,
            deserializer=worker.job_deserializer,
            max_jobs=worker.max_jobs,
            max_tries=worker.max_tries,
            timeout_s=worker.job_timeout_s,
            keep_result_s=worker.keep_result_s,
            keep_result_forever=worker.keep_result_forever,
            retry_jobs=worker.retry_jobs,
            allow_abort_jobs=worker.allow_abort_jobs,
            poll_delay_s=worker.poll_delay_s,
            burst=worker.burst,
            max_burst_jobs=worker.max_burst_jobs,
            on_job_start=worker.on_job_start,
            on_job_end=worker.on_job_end,
            after_job_end=worker.after_job_end,
        )

    def max_tries_of(self, function: JobFunction | None) -> int:
        """Return how many tries a job of `function` has; `None` stands for a function that is not known."""
        if function is None or function.max_tries is None:
            return self.max_tries
        return function.max_tries

    def timeout_of(self, function: JobFunction) -> float | None:
        """Return the seconds that one try of `function` may take; `None` is no limit."""
        return self.timeout_s if function.timeout_s is None else function.timeout_s

    def result_life_ms(self, function: JobFunction | None) -> int:
        """Return for how many milliseconds a result of `function` is kept; -1 is for ever, 0 not at all."""
        forever, seconds = self.keep_result_forever, self.keep_result_s
        if function is not None:
            forever = forever if function.keep_result_forever is None else function.keep_result_forever
            seconds = seconds if function.keep_result_s is None else function.keep_result_s
        return -1 if forever else int(seconds * 1000)
