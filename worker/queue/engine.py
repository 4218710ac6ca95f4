"""The worker: arq's, with leases, one-call claims, grouped completions, and a life through Redis's faults.

`arq.worker.Worker` stays the base, so that settings, hooks, cron, burst mode and `arq`'s command line keep their
meaning; claiming, running and finishing are replaced as a whole.
"""

import asyncio
import inspect
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from signal import Signals
from typing import Any

import structlog
from arq.connections import ArqRedis, create_pool, log_redis_info
from arq.utils import timestamp_ms
from arq.worker import Worker, logger

from worker.codec import Codec
from worker.queue import keys
from worker.queue.breaker import OutageBreaker
from worker.queue.claiming import LaneShares
from worker.queue.completions import CompletionWriter
from worker.queue.connection import sync_twin
from worker.queue.execution import CRASH_LIMIT, Ending, EndingKind, Execution, run_hook
from worker.queue.health import REDIS_ERRORS, RedisHealth
from worker.queue.heartbeat import HEARTBEAT_INTERVAL_S, STALE_AFTER_S, Heartbeat, beat, redis_time
from worker.queue.leases import Lease, LeaseKeeper
from worker.queue.running import Running
from worker.queue.scripts import Claim, Scripts

_log = structlog.stdlib.get_logger(__name__)

_ABORT_TOMBSTONE_S = 60
# A job that was twice at hand when its worker died is run with nothing beside it, if that can be had within:
_SOLO_WAIT_S = 5.0
_DRAIN_S = 5.0
_CANCEL_AGAIN_S = 0.2


async def _end(*tasks: asyncio.Task[None]) -> None:
    pending = set(tasks)
    while pending:
        # Repeated, because a cancellation that meets a connection attempt can be swallowed on the way.
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)


def _with_settings_of(base: type, *added: str) -> inspect.Signature:
    signature = inspect.signature(base)
    extra = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in added]
    return signature.replace(parameters=[*signature.parameters.values(), *extra])


class LeaseWorker(Worker):
    """An arq worker that owns its jobs by renewed leases.

    Takes all of arq's settings, and `lanes` (queues in order of precedence; default: arq's `queue_name`),
    `lease` (seconds) and `open_redis` (makes the connection pool; default: from arq's `redis_settings`).
    """

    # arq matches the attributes of a settings class against this signature and drops the rest in silence.
    __signature__ = _with_settings_of(Worker, "lanes", "lease", "open_redis")

    def __init__(
        self,
        functions: Sequence[Any] = (),
        *,
        lanes: Sequence[str] | None = None,
        lease: float = 10,
        open_redis: Callable[[], Awaitable[ArqRedis]] | None = None,
        **arq_settings: Any,
    ) -> None:
        codec = Codec()
        arq_settings["job_serializer"] = arq_settings.get("job_serializer") or codec.encode
        arq_settings["job_deserializer"] = arq_settings.get("job_deserializer") or codec.decode
        if lanes:
            arq_settings.setdefault("queue_name", lanes[0])
        super().__init__(functions, **arq_settings)
        self.lanes = tuple(lanes or (self.queue_name,))
        self.lease_s = lease
        self.worker_id = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self.redis_health = RedisHealth()
        self.breaker = OutageBreaker()
        self._open_redis = open_redis
        self._shares = LaneShares(self.lanes, self.max_jobs)
        self._claims = 0
        self._running: dict[bytes, Running] = {}
        self._unknown_functions: set[str] = set()
        self._clock_offset_ms = 0.0
        self._started_at = datetime.now(UTC)
        self._wake = asyncio.Event()
        self._hungry = asyncio.Event()
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()

    # ---- life -----------------------------------------------------------------------------------------

    async def main(self) -> None:
        """Serve the lanes until a signal, or in burst mode until they are empty."""
        if self._pool is None:
            self._pool = await self._connect()
        self._scripts = Scripts(self.pool)
        self._writer = CompletionWriter(self._scripts, self.redis_health)
        logger.info("Starting worker for %d functions: %s", len(self.functions), ", ".join(self.functions))
        await log_redis_info(self.pool, logger.info)
        self.ctx["redis"] = self.pool
        if self.on_startup:
            await self.on_startup(self.ctx)
        self._leases = LeaseKeeper(lambda: sync_twin(self.pool), self.lease_s, self._leases_lost)
        side_tasks = [
            asyncio.create_task(self._writer.run(), name="completion-writer"),
            asyncio.create_task(self._listen(), name="wake-up-listener"),
            asyncio.create_task(self._every(HEARTBEAT_INTERVAL_S, self._heartbeat), name="heartbeat"),
            asyncio.create_task(self._every(min(self.poll_delay_s, 0.5), self._tend), name="cron-and-aborts"),
        ]
        claiming = asyncio.create_task(self._claim_until_stopped(), name="claiming")
        try:
            # A side task never ends by itself: if one does, it failed, and the worker stops with its error.
            done, _ = await asyncio.wait([claiming, *side_tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            # In burst mode the last jobs end in their own time; a signal begins the grace period.
            await self._wait_for_running(self._stopping)
            if self._stopping.is_set():
                await self._wait_for_running(self._hurry, self._job_completion_wait)
        finally:
            self.allow_pick_jobs = False
            await _end(claiming)
            await self._hand_back_running()
            await _end(*side_tasks)
            await self._leases.close()

    def run(self) -> None:
        """Run the worker until it is stopped, then close it.

        `sys.exit` in a task that a job has started reaches the event loop; it does not end the worker.
        """
        self.main_task = main_task = self.loop.create_task(self.main())
        try:
            while not main_task.done():
                try:
                    self.loop.run_until_complete(main_task)
                except (SystemExit, KeyboardInterrupt) as error:
                    # Without handlers for signals, an interrupt is a person's.
                    if main_task.done() or not self._handle_signals:
                        raise
                    _log.error(
                        "a task of a job tried to end the worker", action="exit_refused", error=type(error).__name__
                    )
        except asyncio.CancelledError:
            _log.info("cancelled", action="cancelled")
        finally:
            if main_task.done() and not main_task.cancelled():
                # Looked at, so that asyncio does not report it once more.
                main_task.exception()
            self.loop.run_until_complete(self.close())

    async def _connect(self) -> ArqRedis:
        if self._open_redis is not None:
            return await self._open_redis()
        return await create_pool(
            self.redis_settings,
            job_serializer=self.job_serializer,
            job_deserializer=self.job_deserializer,
            default_queue_name=self.queue_name,
            expires_extra_ms=self.expires_extra_ms,
        )

    async def _wait_for_running(self, cut_short: asyncio.Event, seconds: float | None = None) -> None:
        cut = asyncio.create_task(cut_short.wait())
        try:
            async with asyncio.timeout(seconds):
                while self.tasks and not cut_short.is_set():
                    await asyncio.wait([cut, *self.tasks.values()], return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            _log.info("grace period is over", action="grace_over", running=len(self.tasks))
        finally:
            cut.cancel()

    async def _hand_back_running(self) -> None:
        for running in list(self._running.values()):
            running.interrupt("shutdown")
            if running.task is None:
                self._launch(running)
        if self.tasks:
            _, late = await asyncio.wait(list(self.tasks.values()), timeout=_DRAIN_S)
            if late:
                # Redis is away or a job will not end; their leases run out and others take them.
                _log.error("stopped with jobs in hand", action="jobs_left_behind", jobs=len(late))
                for task in late:
                    task.cancel()

    def handle_sig(self, signum: Signals) -> None:
        """Stop claiming and let running jobs end within `job_completion_wait`; a second signal ends the wait."""
        if self._stopping.is_set():
            self._hurry.set()
            return
        _log.info(
            "stopping",
            action="shutdown",
            signal=Signals(signum).name,
            running=len(self.tasks),
            grace_s=self._job_completion_wait,
        )
        self.allow_pick_jobs = False
        self._stopping.set()
        self._wake.set()
        if self.on_stop:
            self.on_stop(signum)

    handle_sig_wait_for_completion = handle_sig

    async def close(self) -> None:
        """Stop if still running, then close what was opened."""
        if not self._pool:
            return
        if self.main_task is not None and not self.main_task.done():
            if not self._stopping.is_set():
                self.handle_sig(Signals.SIGUSR1)
            await asyncio.gather(self.main_task, return_exceptions=True)
        if self.on_shutdown:
            await self.on_shutdown(self.ctx)
        try:
            await self.pool.hdel(keys.WORKERS, self.worker_id)
        except REDIS_ERRORS as error:
            _log.warning("could not sign off", action="sign_off_failed", error=type(error).__name__)
        await self.pool.aclose(close_connection_pool=True)
        self._pool = None
        # `arq --watch` runs the same worker again.
        self._stopping.clear()
        self._hurry.clear()
        self.allow_pick_jobs = True

    # ---- claiming -------------------------------------------------------------------------------------

    async def _claim_until_stopped(self) -> None:
        while not self._stopping.is_set():
            if self._burst_used_up():
                return
            wanted = self._wanted()
            if wanted == 0:
                await self._pause(self.breaker.wait_s or self.poll_delay_s)
                continue
            claim = await self._claim(wanted)
            if claim is None:
                continue
            self.breaker.probed()
            await self._start([Running(claimed, self._token()) for claimed in claim.jobs])
            if self.burst and await self._burst_done():
                return
            if len(claim.jobs) < wanted:
                wait_s = self.poll_delay_s
                if claim.next_due_ms > 0:
                    wait_s = min(wait_s, max(0.001, (claim.next_due_ms - claim.now_ms) / 1000))
                self._hungry.set()
                await self._pause(wait_s)
                self._hungry.clear()

    def _wanted(self) -> int:
        if not self.allow_pick_jobs or self._writer.is_congested:
            return 0
        free = self.max_jobs - len(self._running)
        if self.burst and self.max_burst_jobs >= 0:
            free = min(free, self.max_burst_jobs - self._jobs_started())
        return self.breaker.allowance(max(free, 0))

    def _token(self) -> str:
        return f"{self.worker_id}:{self._claims}"

    async def _claim(self, wanted: int) -> Claim | None:
        self._claims += 1
        held = [running.claimed.lane for running in self._running.values()] if len(self.lanes) > 1 else []
        try:
            claim = await self._scripts.claim(
                self._token(),
                int(self.lease_s * 1000),
                wanted,
                self._shares.limits(self._claims, wanted, held),
            )
        except REDIS_ERRORS as error:
            await self._recover(error)
            return None
        self.redis_health.answered()
        self._clock_offset_ms = claim.now_ms - timestamp_ms()
        return claim

    async def _recover(self, error: Exception) -> None:
        """Wait until Redis answers, then hand back what the failed claim may have taken without our knowing."""
        while not self._stopping.is_set():
            await self.redis_health.failed(error)
            try:
                recovered = await self._scripts.recover(self._token(), self.lanes)
            except REDIS_ERRORS as again:
                error = again
            else:
                # A Redis that refuses writes answers this all the same; only a claim shows that it is well.
                if recovered:
                    _log.info("claim recovered", action="claim_recovered", jobs=recovered)
                return

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _listen(self) -> None:
        """Wait for announced jobs, but only while there are slots for them: each announcement wakes one worker."""
        bells = [lane + keys.WAKEUP_SUFFIX for lane in self.lanes]
        # The longest wait stays well below the socket's time-out.
        socket_timeout_s = self.pool.connection_pool.connection_kwargs.get("socket_timeout") or 2.0
        wait_s = min(max(self.poll_delay_s, 0.05), socket_timeout_s / 2, 1.0)
        while True:
            await self._hungry.wait()
            try:
                if await self.pool.blpop(bells, timeout=wait_s):
                    self._wake.set()
                    # Yield, so that the claim loop runs and says whether it is still hungry.
                    await asyncio.sleep(0)
            except REDIS_ERRORS as error:
                await self.redis_health.failed(error)

    def _burst_used_up(self) -> bool:
        return self.burst and 0 <= self.max_burst_jobs <= self._jobs_started()

    async def _burst_done(self) -> bool:
        if self._burst_used_up():
            return True
        try:
            return not any([await self.pool.zcard(lane) for lane in self.lanes])
        except REDIS_ERRORS as error:
            await self.redis_health.failed(error)
            return False

    # ---- running --------------------------------------------------------------------------------------

    async def _start(self, claimed: list[Running]) -> None:
        suspects = []
        for running in claimed:
            job_id = running.claimed.job_id
            earlier = self._running.get(job_id)
            if earlier is not None:
                earlier.interrupt("lost")
            self._running[job_id] = running
            self._leases.held[job_id] = Lease(job_id, running.claimed.lane, running.token)
            if running.claimed.crashes == CRASH_LIMIT - 1:
                suspects.append(running)
            else:
                self._launch(running)
        if suspects:
            await self._run_alone(*suspects)

    def _launch(self, running: Running) -> asyncio.Task[None]:
        running.task = task = asyncio.create_task(self._run(running))
        self.tasks[running.name] = self.job_tasks[running.name] = task
        return task

    async def _run_alone(self, suspect: Running, *others: Running) -> None:
        """Run one job that may be about to kill this process, and claim nothing meanwhile.

        Whatever is leased when the process dies counts a crash. So the other suspects are handed back before, or
        the innocent among them would be taken for killers; the rest get some time to end.
        """
        for other in others:
            other.interrupt("postponed")
        postponed = [self._launch(other) for other in others]
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            for tasks, seconds in ((postponed, None), (list(self.tasks.values()), _SOLO_WAIT_S)):
                if tasks:
                    ended = asyncio.create_task(asyncio.wait(tasks, timeout=seconds))
                    await asyncio.wait([stopping, ended], return_when=asyncio.FIRST_COMPLETED)
                    ended.cancel()
            if not self._stopping.is_set():
                await asyncio.wait([stopping, self._launch(suspect)], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()

    async def _run(self, running: Running) -> None:
        execution = Execution(self, self.worker_id, running, self._clock_offset_ms)
        kind: EndingKind = "retried"
        try:
            ending = await execution.run()
            kind = ending.kind
            self._note(ending)
            if ending.completion is not None and await asyncio.shield(self._writer.submit(ending.completion)):
                self._release_lease(running)
                if execution.context is not None:
                    await run_hook("after_job_end", self.after_job_end, execution.context)
        finally:
            self._release_lease(running)
            self._forget(running, kind)

    def _release_lease(self, running: Running) -> None:
        job_id = running.claimed.job_id
        lease = self._leases.held.get(job_id)
        if lease is not None and lease.token == running.token:
            del self._leases.held[job_id]

    def _forget(self, running: Running, kind: EndingKind) -> None:
        # Counted in the same step, so that a job is never counted both as started and as ended.
        match kind:
            case "complete":
                self.jobs_complete += 1
            case "failed":
                self.jobs_failed += 1
            case "retried":
                self.jobs_retried += 1
        if self._running.get(running.claimed.job_id) is running:
            del self._running[running.claimed.job_id]
            self.tasks.pop(running.name, None)
            self.job_tasks.pop(running.name, None)
        self._wake.set()

    def _jobs_started(self) -> int:
        return self.jobs_complete + self.jobs_retried + self.jobs_failed + len(self._running)

    def _note(self, ending: Ending) -> None:
        if ending.unknown_function is not None:
            self._unknown_functions.add(ending.unknown_function)
        if ending.met_outage:
            if self.breaker.outage():
                _log.error("the jobs' store is out; claiming stops", action="breaker_open")
        elif ending.kind == "complete" and self.breaker.success():
            _log.info("the jobs' store is back", action="breaker_closed")

    def _leases_lost(self, job_ids: list[bytes]) -> None:
        for job_id in job_ids:
            running = self._running.get(job_id)
            if running is not None:
                running.interrupt("lost")

    # ---- tending --------------------------------------------------------------------------------------

    async def _every(self, seconds: float, step: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            try:
                await step()
            except REDIS_ERRORS as error:
                await self.redis_health.failed(error)
            # The spread keeps a fleet that was started at once from asking at once.
            await asyncio.sleep(seconds * (0.9 + 0.2 * secrets.randbelow(1000) / 1000))

    async def _heartbeat(self) -> None:
        why_not = self._why_not_ready()
        await beat(
            self.pool,
            Heartbeat(
                worker=self.worker_id,
                host=socket.gethostname(),
                pid=os.getpid(),
                ready=not why_not,
                why_not=why_not,
                lanes=list(self.lanes),
                slots=self.max_jobs,
                running=len(self._running),
                complete=self.jobs_complete,
                retried=self.jobs_retried,
                failed=self.jobs_failed,
                started_at=self._started_at,
                at=await redis_time(self.pool),
            ),
        )
        while self._unknown_functions:
            await self.pool.hset(keys.UNKNOWN, self._unknown_functions.pop(), timestamp_ms())
        if not why_not:
            await self.record_health()

    async def record_health(self) -> None:
        """Write the key that `arq --check` reads; it lives no longer than a heartbeat counts."""
        queued = await self.pool.zcard(self.queue_name)
        word = (
            f"{datetime.now(self.timezone):%b-%d %H:%M:%S} j_complete={self.jobs_complete} "
            f"j_failed={self.jobs_failed} j_retried={self.jobs_retried} j_ongoing={len(self._running)} "
            f"queued={queued}"
        )
        await self.pool.set(self.health_check_key, word, px=int(STALE_AFTER_S * 1000))

    def _why_not_ready(self) -> str:
        if self._stopping.is_set():
            return "stopping"
        if self.breaker.is_open:
            return "the jobs' store is out"
        if self._writer.is_congested:
            return "storing of results has fallen behind"
        return ""

    async def _tend(self) -> None:
        if self.allow_abort_jobs:
            await self._cancel_aborted_jobs()
        if self.cron_jobs and not self._stopping.is_set():
            await self.run_cron(datetime.now(tz=self.timezone), max(self.poll_delay_s, 0.5))

    async def _cancel_aborted_jobs(self) -> None:
        """Interrupt running jobs that somebody asked to abort, and clear away requests that met no job."""
        requests = await self.pool.zrange(keys.ABORT, 0, -1, withscores=True)
        stale_before = timestamp_ms() - timedelta(seconds=_ABORT_TOMBSTONE_S) / timedelta(milliseconds=1)
        for job_id, asked_ms in requests:
            running = self._running.get(job_id)
            if running is not None:
                # An old request is no business of a later job of the same id.
                if asked_ms >= running.enqueued_ms:
                    running.interrupt("abort")
            elif asked_ms < stale_before and not await self.pool.exists(keys.JOB + job_id.decode(errors="replace")):
                await self.pool.zrem(keys.ABORT, job_id)
