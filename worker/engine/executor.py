"""Runs claimed jobs, one try each. What becomes of a job afterwards is decided in `decision`."""

import asyncio
import contextlib
import functools
import os
import random
import time
import traceback

from arq.worker import JobExecutionFailed, Retry, RetryJob

from worker.engine.attempt import Attempt
from worker.engine.circuit_breaker import CircuitBreaker
from worker.engine.clock import RedisClock
from worker.engine.decision import (
    Decision,
    DecisionRules,
    FunctionUnknown,
    JobAborted,
    PutAside,
    check_lost_leases,
    retries_exceeded,
)
from worker.engine.envelope import Call, read_call
from worker.engine.events import CallStarted, Events, HookFailed, JobStarted, TryDecided
from worker.engine.forked_child import end_forked_child
from worker.engine.options import Hook, JobContext, JobFunction, JobOptions
from worker.engine.patched_run_job import PatchedRunJob
from worker.engine.pauses import Pauses
from worker.engine.results import loggable_message
from worker.engine.running_job import RunningJob
from worker.engine.timeouts import Timeouts
from worker.engine.waiting_line import SpacedReturns
from worker.errors import class_name


class Executor:
    """Runs the jobs of one worker. It needs no server: claims come in, decisions go out.

    Each call of a job's function passes through `patched_run_job`, if there is one.
    """

    def __init__(
        self,
        options: JobOptions,
        rules: DecisionRules,
        timeouts: Timeouts,
        clock: RedisClock,
        events: Events,
        breaker: CircuitBreaker,
        pauses: Pauses,
        patched_run_job: PatchedRunJob | None = None,
    ) -> None:
        self._options = options
        self._rules = rules
        self._timeouts = timeouts
        self._clock = clock
        self._events = events
        self._breaker = breaker
        self._pauses = pauses
        self._patched_run_job = patched_run_job
        self._returns = SpacedReturns(time.monotonic)
        self._pid = os.getpid()
        # These events carry payloads and cost time for each job, so they are made only if something listens.
        self._shows_calls = events.wants(CallStarted) or events.wants(TryDecided)

    async def run(self, job: RunningJob) -> tuple[Decision, JobContext | None]:
        """Run one try of a job; returns the decision and the context for `run_after_job_end`.

        The context is `None` if the job was not started, or the worker has no such hook.

        Nothing that a job raises leaves this method: it ends that job alone.
        """
        attempt = Attempt(job, self._clock, self._options.unknown)
        try:
            job.begin()
            call = read_call(job.claimed, self._options.deserializer)
            attempt.read(call)
            function = self._find(attempt, call)
            if self._pauses.names:
                self._hold_paused(call)
            if self._breaker.is_troubled:
                self._let_through(job, call)
            if self._patched_run_job is None:
                result = await self._invoke(attempt, function, call)
            else:
                invoke = functools.partial(self._invoke, attempt, function, call)
                result = await self._patched_run_job.call(job.name, job.score, invoke)
        except BaseException as error:  # noqa: BLE001 (a job may raise anything, SystemExit too)
            attempt.finish()
            decision = self._rules.after_failure(attempt, error, jitter=random.random())
            if self._shows_calls:
                self._show_end(attempt, decision, None, error)
        else:
            attempt.finish()
            decision = self._rules.after_success(attempt, result)
            if self._shows_calls:
                self._show_end(attempt, decision, result, None)
        return decision, attempt.context if self._options.after_job_end is not None else None

    def without_result(self, decision: Decision, error: Exception) -> Decision:
        """Return the decision to store instead of one whose result cannot be stored, because of `error`."""
        return self._rules.without_result(decision, error)

    def let_go(self, job: RunningJob) -> Decision:
        """Return the decision on a job that does not stop, as if its interruption had ended it now.

        What its coroutine does from now on changes nothing in the queue.
        """
        job.let_go = True
        attempt = job.attempt or Attempt(job, self._clock, self._options.unknown)
        attempt.finish()
        return self._rules.after_failure(attempt, asyncio.CancelledError(), jitter=random.random())

    def is_held(self, job: RunningJob) -> bool:
        """Whether a pause or the circuit breaker would put a claimed job aside now, its function not called."""
        if not self._breaker.is_troubled and not self._pauses.names:
            return False
        try:
            call = read_call(job.claimed, self._options.deserializer)
        except Exception:  # noqa: BLE001 (a job that cannot be read ends as one when it runs)
            return False
        return self._pauses.has_function(call.function) or self._breaker.holds(call.function)

    async def run_after_job_end(self, context: JobContext, function: str = "") -> None:
        """Run the user's `after_job_end` on a job of `function` whose completion is stored."""
        if self._options.after_job_end is not None:
            await self._run_hook("after_job_end", self._options.after_job_end, context, function)

    def _find(self, attempt: Attempt, call: Call) -> JobFunction:
        """Return the function to call. Raises the reason why the job must not run."""
        job, claimed = attempt.job, attempt.job.claimed
        function = self._options.functions.get(call.function)
        if function is not None:
            attempt.find(function)
        if claimed.crashes or claimed.lost_by:
            check_lost_leases(claimed)
        if self._options.allow_abort_jobs and job.is_meant_by(claimed.abort_ms):
            raise JobAborted
        if function is None and self._options.burst:
            # A burst ends when the queues are empty, so the job cannot wait there for another worker.
            raise JobExecutionFailed(f"function {call.function!r} not found")
        if function is None:
            raise FunctionUnknown(self._returns.wait_s())
        if call.tries > function.max_tries:
            raise retries_exceeded(function.max_tries)
        return function

    def _hold_paused(self, call: Call) -> None:
        """Raise `PutAside` if an operator has paused the job's function."""
        delay_s = self._pauses.put_aside_s(call.function)
        if delay_s is not None:
            raise PutAside(delay_s)

    def _let_through(self, job: RunningJob, call: Call) -> None:
        """Raise `PutAside` if the circuit breaker keeps the job waiting; otherwise note that it starts now."""
        delay_s = self._breaker.put_aside_s(call.function, job.breaker_era)
        if delay_s is not None:
            raise PutAside(delay_s)
        job.breaker_era = self._breaker.era

    async def _invoke(self, attempt: Attempt, function: JobFunction, call: Call) -> object:
        options = self._options
        context = attempt.start(call, options.context, self._timeouts.deadline(function.timeout_s))
        if options.on_job_start is not None:
            await self._call_hook("on_job_start", options.on_job_start, context, call.function)
        attempt.running()
        if self._events.wants(JobStarted):
            job, pickup_s = attempt.job, attempt.pickup_s
            facts = job.name, call.function, job.claimed.queue, call.tries, pickup_s, job.token, call.trace_context
            self._events.send(JobStarted(*facts))
        if self._shows_calls:
            self._show_call(attempt, call)
        if function.timeout_s is not None:
            self._timeouts.begin(attempt.job, function.timeout_s)
        try:
            result = await function.coroutine(context, *call.args, **call.kwargs)
        except BaseException as error:
            end_forked_child(self._pid, error)
            self._returned(attempt)
            if options.on_job_end is not None:
                await self._run_hook("on_job_end", options.on_job_end, context, call.function)
            raise
        end_forked_child(self._pid)
        self._returned(attempt)
        if options.on_job_end is not None:
            await self._call_hook("on_job_end", options.on_job_end, context, call.function)
        return result

    def _show_call(self, attempt: Attempt, call: Call) -> None:
        since_s, pickup_s = attempt.since_enqueued_s, attempt.pickup_s
        self._events.send(CallStarted(attempt.label, call.args, call.kwargs, call.tries, since_s, pickup_s))

    def _show_end(self, attempt: Attempt, decision: Decision, result: object, error: BaseException | None) -> None:
        was_called, max_tries = attempt.context is not None, attempt.function.max_tries
        since_s = attempt.since_enqueued_s
        event = TryDecided(attempt.label, decision.event, was_called, max_tries, since_s, result, error)
        self._events.send(event)

    def _returned(self, attempt: Attempt) -> None:
        if attempt.function.timeout_s is not None:
            self._timeouts.end(attempt.job, attempt.function.timeout_s)
        attempt.job.returned()

    async def _call_hook(self, name: str, hook: Hook, context: JobContext, function: str) -> None:
        """Call a hook; what it raises is sent as an event, and raised.

        A hook may take as long as a job: one that hangs would keep the job's slot for ever.
        """
        timeout_s = self._options.hook_timeout_s
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                await hook(context)
        except (Retry, RetryJob):
            # The hook asks for a retry; it has not failed.
            raise
        except TimeoutError as error:
            if not limit.expired():
                self._report(name, context, error, function)
                raise
            late = TimeoutError(f"{name} not finished within {timeout_s:g} s").with_traceback(error.__traceback__)
            self._report(name, context, late, function)
            raise late from None
        except Exception as error:
            self._report(name, context, error, function)
            raise

    def _report(self, hook: str, context: JobContext, error: Exception, function: str) -> None:
        # Places only: the message of another library's error can repeat a payload.
        stack = "".join(traceback.format_tb(error.__traceback__))
        message = loggable_message(error)
        self._events.send(HookFailed(hook, context["job_id"], class_name(error), message, stack, function))

    async def _run_hook(self, name: str, hook: Hook, context: JobContext, function: str) -> None:
        """Call a hook on a job whose end is decided; what it raises changes nothing."""
        # A user's hook may raise anything; it concerns its own job alone.
        with contextlib.suppress(Exception):
            await self._call_hook(name, hook, context, function)
