"""Runs one claimed job and tells how it ended. What becomes of a failure is decided in `retry`."""

import asyncio
import math
import random
import time
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Literal

import structlog
from arq.cron import CronJob
from arq.worker import Function, JobExecutionFailed, Retry, RetryJob, Worker

from worker.engine.envelope import Call, read_call
from worker.engine.results import Ending, error_fields, make_dead_letter, result_data, result_life_ms
from worker.engine.retry_policy import GiveUp, decide
from worker.engine.running_job import Running
from worker.engine.timeouts import Timeouts
from worker.errors import OutageError, PermanentError, TransientError
from worker.queue.dead_letter import Failure
from worker.queue.scripts import Completion

_log = structlog.stdlib.get_logger(__name__)

CRASH_LIMIT = 3
"""A job whose owner died this often while running it is taken for the killer."""
_UNKNOWN_FUNCTION_DELAY_MS = 5_000
_LONGEST_POSTPONEMENT_MS = 1_000
# As long as with arq.
_CRON_TAKEN_MS = 60_000


class ProcessKilled(PermanentError):
    """The worker process died each time it ran the job."""


class JobAborted(Exception):
    """Somebody asked to abort the job."""


class JobCancelled(TransientError):
    """Something within the job was cancelled, and not by this worker."""


class Executor:
    """One try of one job."""

    def __init__(
        self,
        host: Worker,
        worker_id: str,
        running: Running,
        limits: Timeouts,
        clock_offset_ms: float,
    ) -> None:
        self._host = host
        self._worker_id = worker_id
        self._limits = limits
        self._running = running
        self._claimed = running.claimed
        self._job_id = running.name
        self._call: Call | None = None
        # Redis's clock decides what is due, so what is told in its time is told by it.
        self._clock_offset_ms = clock_offset_ms
        self._started_ms = _now_ms()
        self._timeout_s: float | None = None
        self.context: dict[Any, Any] | None = None

    async def run(self) -> Ending:
        """Run the job to its end; raises nothing but what ends the program."""
        try:
            self._running.begin()
            self._call = call = read_call(self._claimed, self._host.job_deserializer)
            # The producer's clock may run ahead; it was enqueued no later than it was due, nor than now.
            claimed_ms = self._started_ms + self._clock_offset_ms
            self._running.enqueued_ms = min(call.enqueue_ms, self._claimed.score, claimed_ms)
            crashes = self._claimed.crashes
            if crashes >= CRASH_LIMIT:
                raise ProcessKilled(f"the worker process died {crashes} times while it ran this job")
            if self._host.allow_abort_jobs and self._running.is_meant_by(self._claimed.abort_ms):
                raise JobAborted
            function = self._host.functions.get(call.function)
            if function is None and not self._host.burst:
                return self._put_back_unknown(call.function)
            if function is None:
                raise JobExecutionFailed(f"function {call.function!r} not found")
            limit = self._max_tries(function)
            if call.tries > limit:
                raise _retries_exceeded(limit)
            result = await self._invoke(function, call)
        except BaseException as error:  # noqa: BLE001 (a job may raise anything, SystemExit too; it ends that job alone)
            return self._failed(error)
        return self._succeeded(function, result)

    def _max_tries(self, function: Function | CronJob) -> int:
        return self._host.max_tries if function.max_tries is None else function.max_tries

    def _time_limit(self, function: Function | CronJob) -> float | None:
        # arq's types leave out that its `job_timeout` may be None.
        return self._host.job_timeout_s if function.timeout_s is None else function.timeout_s

    async def _invoke(self, function: Function | CronJob, call: Call) -> object:
        host = self._host
        self._timeout_s = timeout_s = self._time_limit(function)
        self.context = {
            **host.ctx,
            "job_id": self._job_id,
            "job_try": call.tries,
            "enqueue_time": datetime.fromtimestamp(call.enqueue_ms / 1000, UTC),
            # A queue takes infinities; "due since ever" is told as 0.
            "score": int(self._claimed.score) if math.isfinite(self._claimed.score) else 0,
            "job_deadline": math.inf if timeout_s is None else asyncio.get_running_loop().time() + timeout_s,
        }
        if host.on_job_start is not None:
            await host.on_job_start(self.context)
        self._started_ms = _now_ms()
        if timeout_s is not None:
            self._limits.begin(self._running, timeout_s)
        try:
            result = await function.coroutine(self.context, *call.args, **call.kwargs)
        except BaseException:
            self._returned(timeout_s)
            await run_hook("on_job_end", host.on_job_end, self.context)
            raise
        self._returned(timeout_s)
        if host.on_job_end is not None:
            await host.on_job_end(self.context)
        return result

    def _returned(self, timeout_s: float | None) -> None:
        if timeout_s is not None:
            self._limits.end(self._running, timeout_s)
        self._running.returned()

    def _succeeded(self, function: Function | CronJob, result: object) -> Ending:
        self._running.end()
        return Ending(self._final("done", function, result), "complete")

    def _failed(self, error: BaseException) -> Ending:
        self._running.end()
        match self._running.interrupted_by:
            case "lost":
                _log.warning("job belongs to another worker now", action="lease_lost", job_id=self._job_id)
                return Ending(None, "retried")
            case "abort":
                return self._aborted()
            case "postponed":
                return self._postponed()
            case "shutdown" if self._host.retry_jobs and not isinstance(error, Retry):
                return self._hand_back()
            case "timeout":
                # The traceback shows where the job was held up.
                told = f"not done within {self._timeout_s:g} s"
                error = TimeoutError(told).with_traceback(error.__traceback__)
            case None if isinstance(error, JobAborted):
                return self._aborted()
            case None if isinstance(error, asyncio.CancelledError):
                error = JobCancelled("cancelled from within").with_traceback(error.__traceback__)
        return self._decided(error)

    def _decided(self, error: BaseException) -> Ending:
        tries = self._call.tries if self._call else self._claimed.tries
        function = self._function()
        limit = self._max_tries(function) if function else self._host.max_tries
        decision = decide(error, tries=tries, max_tries=limit, jitter=random.random())
        if isinstance(decision, GiveUp) or not self._host.retry_jobs:
            reason = decision.reason if isinstance(decision, GiveUp) else "retries are switched off"
            # Who waits for the result is told what arq tells; the dead letter keeps what the job raised.
            asked_again = self._host.retry_jobs and isinstance(error, Retry | RetryJob | JobCancelled)
            return self._dead(error, tries, reason, result=_retries_exceeded(limit) if asked_again else error)
        _log.info(
            "job will be run again",
            action="job_retry",
            job_id=self._job_id,
            delay_s=round(decision.delay_s, 2),
            tries=tries,
            **error_fields(error),
        )
        history = Failure.of(error, tries, self._redis_now_ms()).short().model_dump_json().encode()
        completion = self._completion("retry", due=decision.delay_s * 1000, extra=history)
        if not decision.spends_try:
            completion = completion._replace(tries="keep")
        elif tries > self._claimed.tries:
            # The producer said that its first try was not the first.
            completion = completion._replace(tries=tries)
        return Ending(completion, "retried", met_outage=isinstance(error, OutageError))

    def _hand_back(self) -> Ending:
        _log.info("job handed back untouched", action="job_handed_back", job_id=self._job_id)
        return Ending(self._completion("return", due=self._claimed.score)._replace(tries="keep"), "retried")

    def _postponed(self) -> Ending:
        _log.info("suspected of killing its worker; to be run alone", action="job_postponed", job_id=self._job_id)
        due = random.uniform(0, _LONGEST_POSTPONEMENT_MS)
        return Ending(self._completion("retry", due=due)._replace(tries="keep"), "retried")

    def _put_back_unknown(self, function: str) -> Ending:
        self._running.end()
        _log.warning("no function of this name here; job put back", action="function_unknown", job_id=self._job_id)
        completion = self._completion("retry", due=_UNKNOWN_FUNCTION_DELAY_MS)._replace(tries="keep")
        return Ending(completion, "retried", unknown_function=function)

    def _aborted(self) -> Ending:
        _log.info("job aborted", action="job_aborted", job_id=self._job_id)
        # arq's `Job.abort` waits for an error of this very class.
        return Ending(self._final("done", self._function(), asyncio.CancelledError()), "failed")

    def _dead(self, error: BaseException, tries: int, reason: str, *, result: BaseException) -> Ending:
        _log.error(
            "job is a dead letter now",
            action="job_dead",
            job_id=self._job_id,
            reason=reason,
            tries=tries,
            **error_fields(error),
        )
        failure = Failure.of(error, tries, self._redis_now_ms())
        dead_letter = make_dead_letter(self._running, self._call, failure, reason=reason, worker_id=self._worker_id)
        extra = dead_letter.model_dump_json().encode()
        return Ending(self._final("dead", self._function(), result, extra=extra), "failed")

    def _function(self) -> Function | CronJob | None:
        return self._host.functions.get(self._call.function) if self._call else None

    def _completion(self, action: Literal["retry", "return"], *, due: float, extra: bytes = b"") -> Completion:
        claimed = self._claimed
        return Completion(claimed.job_id, claimed.queue, self._running.token, action, due=due, extra=extra)

    def _final(
        self,
        action: Literal["done", "dead"],
        function: Function | CronJob | None,
        result: object,
        *,
        extra: bytes = b"",
    ) -> Completion:
        claimed, host = self._claimed, self._host
        life_ms, data = result_life_ms(host, function), None
        if life_ms:
            ran_ms = self._started_ms, _now_ms()
            data = result_data(self._running, self._call, result, ran_ms, serializer=host.job_serializer)
        if data is None:
            data, life_ms = b"", 0
        due = _taken_ms(function) if isinstance(function, CronJob) else 0
        return Completion(
            claimed.job_id, claimed.queue, self._running.token, action, data, life_ms, due=due, extra=extra
        )

    def _redis_now_ms(self) -> int:
        return int(_now_ms() + self._clock_offset_ms)


def _taken_ms(job: CronJob) -> int:
    # An id that names its planned run is needed once. One of the user's own is used for every run: the next waits.
    return _CRON_TAKEN_MS if job.unique and not job.job_id else -_CRON_TAKEN_MS


def _retries_exceeded(limit: int) -> JobExecutionFailed:
    return JobExecutionFailed(f"max {limit} retries exceeded")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def run_hook(
    name: str, hook: Callable[[dict[Any, Any]], Awaitable[None]] | None, context: dict[Any, Any]
) -> None:
    """Run a user's hook on a job whose end is settled already; what it raises is logged and changes nothing."""
    if hook is None:
        return
    try:
        await hook(context)
    except Exception as error:  # noqa: BLE001 (a user's hook may raise anything; it concerns its own job alone)
        _log.error(
            "a hook failed",
            action="hook_failed",
            hook=name,
            job_id=context["job_id"],
            # Places only: the message of a foreign error can repeat a payload.
            stack="".join(traceback.format_tb(error.__traceback__)),
            **error_fields(error),
        )
