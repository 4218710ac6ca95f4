"""The worker: arq's, with leases, one-call claims, grouped completions, and tolerance of Redis's faults.

`arq.worker.Worker` stays the base, so that settings, hooks, cron, burst mode and `arq`'s command line work as in
arq. Claiming, running and finishing are replaced as a whole.
"""

import asyncio
import functools
import math
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from signal import Signals
from typing import Any

from arq.connections import ArqRedis, log_redis_info
from arq.worker import Worker
from redis.asyncio.connection import ConnectionPool

from worker.engine import batch_watch, dead_letter_archive, history_mover, memory_watch
from worker.engine.aborts import AbortWatch
from worker.engine.arq_counters import count_like_arq, health_text
from worker.engine.arq_log import log_like_arq
from worker.engine.arq_redis import adopt, create_bounded_pool, keep_connections_from_jobs
from worker.engine.batch_watch import BatchWatch
from worker.engine.blocked_slots import BlockedSlots
from worker.engine.circuit_breaker import CircuitBreaker
from worker.engine.claimer import Claimer
from worker.engine.clock import RedisClock
from worker.engine.completer import Completer
from worker.engine.context import EngineContext
from worker.engine.cron import CronClock, cron_plan
from worker.engine.dead_letter_archive import DeadLetterArchive, DeadLetterLimits
from worker.engine.decision import DecisionRules
from worker.engine.early_signals import EarlySignals
from worker.engine.event_log import log_events
from worker.engine.events import (
    Claimed,
    ClaimFailed,
    Events,
    ExitRefused,
    JobsLeftBehind,
    RedisDescribed,
    RedisInfoFailed,
    ShutdownStarted,
    SignOffFailed,
    StartCancelled,
    Starting,
    TryEnded,
)
from worker.engine.executor import Executor
from worker.engine.forked_child import end_forked_child
from worker.engine.heartbeat import HeartbeatWriter, UnknownFunctions
from worker.engine.history_mover import HistoryMover, StoreEnds
from worker.engine.job_threads import JobThreads
from worker.engine.live_signal import show_liveness
from worker.engine.local_zone import LocalZone
from worker.engine.memory_watch import MemoryWatch
from worker.engine.options import JobContext, JobFunction, JobOptions
from worker.engine.outbox_relay import OutboxRelay
from worker.engine.outbox_steps import OutboxSource
from worker.engine.patched_run_job import patched_run_job
from worker.engine.pauses import Pauses
from worker.engine.periodic import every
from worker.engine.process_exit import ProcessExit
from worker.engine.readiness import ClaimFlow, Readiness
from worker.engine.redis_health import RedisHealth
from worker.engine.settings_class import (
    both_serializers,
    checked_queues,
    checked_rate_limits,
    served_queues,
    with_settings_of,
)
from worker.engine.shutdown import Shutdown
from worker.engine.signal_handlers import have_defaults_in_forked_children
from worker.engine.slots import Slots
from worker.engine.timeouts import Timeouts
from worker.errors import ConfigurationError
from worker.hidden_task import hidden, hide_tasks_of
from worker.queue.heartbeats import HEARTBEAT_INTERVAL_S, STALE_AFTER_S, Heartbeat, remove_heartbeats
from worker.queue.scripts import Scripts
from worker.queue.trial import try_queue
from worker.redis.client import call_timeout_s, sync_twin
from worker.redis.errors import REDIS_ERRORS
from worker.redis.limits import ValueLimit

# How often cron jobs and requests to abort are checked, unless `poll_delay` is shorter.
_PERIODIC_S = 0.5
# A Redis that does not answer must not hold up the end: others forget the worker when its heartbeat is an hour old.
_SIGN_OFF_S = 2.0


class LeaseWorker(Worker):
    """An arq worker that owns its jobs by renewed leases.

    Takes all of arq's settings, and `queues` (the queues to serve in order of precedence, each with the most jobs
    of it that may run at once; default: arq's `queue_name`, which may fill all slots), `lease` (seconds),
    `source_queues` (the queue of each source that has one of its own: these and `arq:queue` take turns),
    `rate_limits` (how many jobs of a queue all workers together may start in a second; default: any number),
    `open_redis` (makes the connection pool; default: from arq's `redis_settings`), `dead_letter_limits` (how many
    stay in Redis; default: all), `open_history` (takes `ctx` after `on_startup` and returns what stores how jobs
    ended; default: no history), `open_outbox` (takes `ctx` likewise and returns the outbox whose jobs this worker
    moves to their queues; default: none), `registry` (a mark that all workers of one registry share, for
    `check --live`), `owns_process` (the process exists for this worker alone: `run`, as arq's command line calls
    it, ends it in time; default: no) and `observe` (is called once with the worker, to subscribe to its events
    before the first of them). Jobs are JSON unless serializers are given. arq's log lines about each job are
    written only with `log_results=True`. Raises `ConfigurationError` for a `job_serializer` without a
    `job_deserializer`.

    `events` takes listeners, such as `worker.events.subscribe(TryEnded, listener)`.
    """

    # arq matches the attributes of a settings class against this signature and silently drops the rest.
    __signature__ = with_settings_of(
        Worker,
        "queues",
        "lease",
        "source_queues",
        "rate_limits",
        "open_redis",
        "dead_letter_limits",
        "open_history",
        "open_outbox",
        "owns_process",
        "registry",
        "observe",
        "lanes",
    )

    def __init__(  # noqa: PLR0913 (arq hands it each attribute of a settings class)
        self,
        functions: Sequence[Any] = (),
        *,
        queues: Mapping[str, int] | None = None,
        lease: float = 10,
        source_queues: Mapping[str, str] | None = None,
        rate_limits: Mapping[str, float] | None = None,
        open_redis: Callable[[], Awaitable[ArqRedis]] | None = None,
        dead_letter_limits: DeadLetterLimits | None = None,
        open_history: Callable[[JobContext], StoreEnds] | None = None,
        open_outbox: Callable[[JobContext], OutboxSource] | None = None,
        owns_process: bool = False,
        registry: str = "",
        observe: "Callable[[LeaseWorker], None] | None" = None,
        **arq_settings: Any,
    ) -> None:
        arq_settings |= both_serializers(arq_settings.get("job_serializer"), arq_settings.get("job_deserializer"))
        if arq_settings.pop("lanes", None) is not None:
            raise ConfigurationError('lanes is now queues, which maps each queue to its slots: {"arq:queue": 300}')
        if queues is not None:
            arq_settings.setdefault("queue_name", next(iter(checked_queues(queues))))
        arq_settings.setdefault("log_results", False)
        self._early_signals = EarlySignals()
        super().__init__(functions, **arq_settings)
        if arq_settings.get("timezone") is None:
            # arq takes the offset that the machine's zone has now, and keeps it when the clocks change.
            self.timezone = LocalZone()
        if self._pool is not None:
            # arq would pickle what is enqueued through such a pool, cron jobs too, and this worker could not read
            # it.
            self._pool.job_serializer = self._pool.job_serializer or self.job_serializer
            self._pool.job_deserializer = self._pool.job_deserializer or self.job_deserializer
        self.queues = served_queues(queues, self.queue_name, self.max_jobs)
        self.lease_s = lease
        self.source_queues, self.rate_limits = dict(source_queues or {}), checked_rate_limits(rate_limits or {})
        self.worker_id = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self.events = Events()
        log_events(self.events)
        if self.log_results:
            log_like_arq(self.events)
        self._unknown_functions = UnknownFunctions()
        self.events.subscribe(TryEnded, count_like_arq(self, self._unknown_functions))
        self._claim_flow = ClaimFlow(self.poll_delay_s)
        self.events.subscribe(Claimed, self._claim_flow.claimed)
        self.events.subscribe(ClaimFailed, self._claim_flow.failed)
        self.redis_health = RedisHealth(self.events)
        self.breaker = CircuitBreaker(self.events, functions=self.functions)
        self._pauses = Pauses()
        self._open_redis = open_redis
        self._dead_letter_limits = dead_letter_limits
        self._open_history = open_history
        self._open_outbox = open_outbox
        self._relay: OutboxRelay | None = None
        self._owns_process, self._registry = owns_process, registry
        self._process_exit: ProcessExit | None = None
        self._threads: JobThreads | None = None
        self._replaced_pool: ConnectionPool | None = None
        self._hand_back_late: Callable[[], None] | None = None
        self._started_at = datetime.now(UTC)
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._serving = self._served = False
        self.heartbeat_facts: Callable[[], Mapping[str, Any]] = dict
        """Returns fields of `Heartbeat` that the engine does not know, such as the use of MongoDB's connections."""
        self.latest_heartbeat: Heartbeat | None = None
        """What the worker last wrote of itself, or was about to write."""
        if observe is not None:
            observe(self)

    async def main(self) -> None:
        """Serve the queues until a signal, or in burst mode until they are empty.

        May be called again afterwards, without `close` in between: arq users' tests run a worker several times.
        Raises `ConfigurationError` if Redis cannot be used as it is.
        """
        if self._served:
            self._reset()
        await self._early_signals.pass_on(lambda signum: self.handle_sig(Signals(signum)), self._stopping.is_set)
        if self._pool is None:
            self._pool = await self._connect()
        else:
            self._replaced_pool = await adopt(self.pool) or self._replaced_pool
        keep_connections_from_jobs(self.pool)
        try:
            await try_queue(self.pool, list(self.queues), int(self.lease_s * 1000))
        except ConfigurationError:
            # Here, because `close` would call `on_shutdown`, although `on_startup` has not run.
            await self.pool.aclose(close_connection_pool=True)
            self._pool = None
            raise
        self.events.send(Starting(list(self.functions)))
        try:
            await log_redis_info(self.pool, lambda facts: self.events.send(RedisDescribed(facts)))
        except REDIS_ERRORS as error:
            # This only describes Redis. A Redis that is gone again is handled where it is needed.
            self.events.send(RedisInfoFailed(type(error).__name__))
        self.ctx["redis"] = self.pool
        if self.on_startup:
            await self.on_startup(self.ctx)
        self._serving = True
        await self._serve()

    async def _serve(self) -> None:
        limit = ValueLimit(self.pool)
        await limit.read()
        context, options = self._make_context(limit), JobOptions.of(self)
        try:
            # Before the worker is ready: a policy that is set later is a reason not to be.
            await context.memory.look()
        except REDIS_ERRORS as error:
            await self.redis_health.failed(error)
        executor = Executor(
            options,
            DecisionRules(options, self.worker_id, keeps_history=self._open_history is not None),
            Timeouts(asyncio.get_running_loop()),
            context.clock,
            self.events,
            self.breaker,
            self._pauses,
            patched_run_job(self, self.events),
        )
        cron = CronClock(self, self.events)
        if self.burst:
            await cron.first_tick(context)
        slots = Slots(
            context,
            executor,
            lambda: sync_twin(context.redis),
            self._process_exit,
        )
        if self._process_exit is not None:
            self._process_exit.before_exit = slots.final_hand_back.sign_off
        blocked = BlockedSlots(context, slots, self._process_exit, self._threads)
        # arq's own names for the same tasks, which its tools look at.
        self.tasks = self.job_tasks = slots.tasks
        claimer = Claimer(
            options,
            context,
            slots,
            may_claim=lambda: self.allow_pick_jobs,
            started=lambda: self.jobs_complete + self.jobs_retried + self.jobs_failed + len(slots),
        )
        readiness = Readiness(context, slots, blocked, options, self._claim_flow)
        side_tasks = self._start_side_tasks(
            context, slots, claimer, cron, blocked, readiness, options.longest_run_s
        )
        shutdown = Shutdown(
            slots,
            self.events,
            hidden(asyncio.create_task(claimer.run(), name="claimer")),
            side_tasks,
            stopping=self._stopping,
            hurry=self._hurry,
            grace_s=self._job_completion_wait,
        )
        try:
            await shutdown.wait()
        finally:
            self.allow_pick_jobs = False
            self._stopping.set()
            self._wake.set()
            left = await shutdown.end()
            if left and self._process_exit is None:
                # Their leases end, and other workers take them.
                self.events.send(JobsLeftBehind(len(left)))
            elif left:
                self._hand_back_late = functools.partial(slots.final_hand_back.hand_back_jobs, left)
            self._served = True
        blocked.raise_if_blocked()

    def _make_context(self, limit: ValueLimit) -> EngineContext:
        scripts = Scripts(self.pool)
        return EngineContext(
            worker_id=self.worker_id,
            queues=self.queues,
            slots=min(self.max_jobs, sum(self.queues.values())),
            lease_s=self.lease_s,
            redis=self.pool,
            scripts=scripts,
            completer=Completer(scripts, self.redis_health, self.events, limit, call_timeout_s(self.pool)),
            redis_health=self.redis_health,
            memory=MemoryWatch(self.pool, self.events),
            breaker=self.breaker,
            pauses=self._pauses,
            clock=RedisClock(),
            events=self.events,
            wake=self._wake,
            stopping=self._stopping,
            source_queues=self.source_queues,
            rate_limits=self.rate_limits,
        )

    def _start_side_tasks(
        self,
        context: EngineContext,
        slots: Slots,
        claimer: Claimer,
        cron: CronClock,
        blocked: BlockedSlots,
        readiness: Readiness,
        longest_run_s: float,
    ) -> list[asyncio.Task[None]]:
        def describe(redis_time: datetime) -> Heartbeat:
            return self._heartbeat(redis_time, readiness.why_not(), slots, blocked, context.slots)

        heartbeat = HeartbeatWriter(context, self._unknown_functions, describe, self.record_health)

        async def look_and_beat() -> None:
            await readiness.look()
            await heartbeat.beat()

        periodic_s = min(self.poll_delay_s, _PERIODIC_S)
        loops = {
            # Two, so that one group is packed while Redis stores another.
            "completer-1": context.completer.run(),
            "completer-2": context.completer.run(),
            "wake-up-listener": claimer.listen(),
            "heartbeat": every(HEARTBEAT_INTERVAL_S, context.redis_health, look_and_beat),
            "liveness": show_liveness(self.worker_id, longest_run_s, self.events, self._registry),
            "memory-watch": every(memory_watch.INTERVAL_S, context.redis_health, context.memory.look),
            "blocked-slots": every(HEARTBEAT_INTERVAL_S, context.redis_health, blocked.check),
            "batch-watch": every(
                batch_watch.INTERVAL_S, context.redis_health, BatchWatch(context, self.job_deserializer).look
            ),
        }
        if self._dead_letter_limits is not None:
            archive = DeadLetterArchive(context, self._dead_letter_limits)
            loops["dead-letter-archive"] = every(dead_letter_archive.INTERVAL_S, context.redis_health, archive.trim)
        if self._open_history is not None:
            mover = HistoryMover(context, self._open_history(self.ctx), lambda: len(slots) > 0)
            loops["history-mover"] = every(history_mover.INTERVAL_S, context.redis_health, mover.move)
        if self._open_outbox is not None:
            self._relay = relay = OutboxRelay(context, self._open_outbox(self.ctx))
            loops |= {
                "outbox-lock": relay.keep_lock(),
                "outbox-watch": relay.watch(),
                "outbox-relay": relay.work(),
                "outbox-size": relay.measure(),
            }
        if self.allow_abort_jobs:
            loops["abort-watch"] = every(periodic_s, context.redis_health, AbortWatch(context, slots).check)
        if self.cron_jobs:
            loops["cron-clock"] = every(periodic_s, context.redis_health, cron.tick)
        return [hidden(asyncio.create_task(loop, name=name)) for name, loop in loops.items()]

    def _heartbeat(
        self, redis_time: datetime, why_not: str, slots: Slots, blocked: BlockedSlots, capacity: int
    ) -> Heartbeat:
        self.latest_heartbeat = heartbeat = Heartbeat(
            worker=self.worker_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            ready=not why_not,
            why_not=why_not,
            queues=list(self.queues),
            rate_limits=self.rate_limits,
            functions=list(self.functions),
            cron_jobs=[cron_plan(job, self.queue_name) for job in self.cron_jobs],
            slots=capacity,
            running=len(slots),
            ignoring=blocked.ignoring,
            held=self.breaker.held_functions,
            paused=sorted(self._pauses.names),
            complete=self.jobs_complete,
            retried=self.jobs_retried,
            failed=self.jobs_failed,
            started_at=self._started_at,
            at=redis_time,
            longest_run_s=slots.longest_run_s(),
            outbox=self._relay.state if self._relay is not None else None,
            **self.heartbeat_facts(),
        )
        return heartbeat

    def run(self) -> None:
        """Run the worker until it is stopped, then close it.

        `sys.exit` in a task that a job has started reaches the event loop, and a job may stop the loop itself;
        neither ends the worker. If the worker owns the process, that is gone within 5 s after the grace period.
        """
        if self._handle_signals:
            have_defaults_in_forked_children((Signals.SIGTERM, Signals.SIGINT))
        if not self._owns_process:
            self._run_and_close()
            return
        # Only here: a program that awaits `main` or `async_run` has other things to do in this process.
        timeouts_s = [JobFunction.of(self, function).timeout_s for function in self.functions.values()]
        longest_s = max(math.inf if timeout_s is None else timeout_s for timeout_s in timeouts_s)
        self._process_exit = ProcessExit(self.events, self._job_completion_wait, longest_s)
        self._threads = JobThreads()
        self.loop.set_default_executor(self._threads)
        hide_tasks_of(self.loop)
        if self._handle_signals:
            self._process_exit.watch(Signals.SIGTERM, Signals.SIGINT)
            if self._early_signals.noted is not None:
                self._process_exit.stopping()
        code = 1
        try:
            self._run_and_close()
            code = 0
        finally:
            self._process_exit.ended(code)
            if self._hand_back_late is not None:
                # Redis did not take some jobs back while the event loop ran. Now there is a second left for it.
                self._hand_back_late()

    def _run_and_close(self) -> None:
        worker_pid = os.getpid()
        self.main_task = main_task = hidden(self.loop.create_task(self.main()))
        try:
            while not main_task.done():
                try:
                    self.loop.run_until_complete(main_task)
                # asyncio raises a RuntimeError if something has called the `stop` of the event loop.
                except (SystemExit, KeyboardInterrupt, RuntimeError) as error:
                    end_forked_child(worker_pid, error)
                    # Without signal handlers, an interrupt comes from a person.
                    if main_task.done() or self.loop.is_closed() or not self._handle_signals:
                        raise
                    how = "loop.stop" if isinstance(error, RuntimeError) else type(error).__name__
                    self.events.send(ExitRefused(how))
        except asyncio.CancelledError:
            self.events.send(StartCancelled())
        except ConfigurationError as error:
            raise SystemExit(f"The worker cannot start: {error}") from None
        finally:
            if main_task.done() and not main_task.cancelled():
                # Retrieved, so that asyncio does not report it once more.
                main_task.exception()
            self.loop.run_until_complete(self.close())

    async def _connect(self) -> ArqRedis:
        if self._open_redis is not None:
            return await self._open_redis()
        return await create_bounded_pool(
            self.redis_settings,
            job_serializer=self.job_serializer,
            job_deserializer=self.job_deserializer,
            default_queue_name=self.queue_name,
            expires_extra_ms=self.expires_extra_ms,
        )

    def handle_sig(self, signum: Signals) -> None:
        """Stop claiming and let running jobs end within `job_completion_wait`; a second signal ends the wait."""
        if self.on_stop:
            # Also for a second signal: `arq --watch` stops on SIGTERM, which may come while it reloads.
            self.on_stop(signum)
        if self._stopping.is_set():
            self._hurry.set()
            return
        running = len(self.tasks)
        self.allow_pick_jobs = False
        self._stopping.set()
        self._wake.set()
        if not self._serving and self.main_task is not None:
            # It connects, or is in `on_startup`; neither looks at the events.
            self.main_task.cancel()
        self.events.send(ShutdownStarted(Signals(signum).name, running, self._job_completion_wait))

    handle_sig_wait_for_completion = handle_sig

    def _add_signal_handler(self, signum: Signals, handler: Callable[[Signals], None]) -> None:
        super()._add_signal_handler(signum, handler)
        self._early_signals.watch(signum)

    async def close(self) -> None:
        """Stop if still running, then close what was opened."""
        if self.main_task is not None and not self.main_task.done():
            if not self._stopping.is_set():
                self.handle_sig(Signals.SIGUSR1)
            await asyncio.gather(self.main_task, return_exceptions=True)
        if not self._pool:
            return
        if self.on_shutdown:
            await self.on_shutdown(self.ctx)
        try:
            async with asyncio.timeout(_SIGN_OFF_S):
                await remove_heartbeats(self.pool, self.worker_id)
        except REDIS_ERRORS as error:
            self.events.send(SignOffFailed(type(error).__name__))
        await self.pool.aclose(close_connection_pool=True)
        self._pool = None
        if self._replaced_pool is not None:
            await self._replaced_pool.disconnect()
            self._replaced_pool = None
        # `arq --watch` runs the same worker again.
        self._reset()

    def _reset(self) -> None:
        """Make the worker as it was before it served."""
        self._stopping.clear()
        self._hurry.clear()
        self._serving = self._served = False
        self.allow_pick_jobs = True

    async def record_health(self) -> None:
        """Write the key that `arq --check` reads; it lives no longer than a heartbeat counts."""
        text = health_text(self, running=len(self.tasks), queued=await self.pool.zcard(self.queue_name))
        await self.pool.set(self.health_check_key, text, px=int(STALE_AFTER_S * 1000))
