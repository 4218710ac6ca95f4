"""The worker: arq's, with leases, one-call claims, grouped completions, and a life through Redis's faults.

`arq.worker.Worker` stays the base, so that settings, hooks, cron, burst mode and `arq`'s command line keep their
meaning; claiming, running and finishing are replaced as a whole.
"""

import asyncio
import inspect
import os
import pickle  # noqa: TID251 (recognised when a user asks for it; never called here)
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from signal import Signals
from typing import Any

import structlog
from arq.connections import ArqRedis, create_pool, log_redis_info
from arq.jobs import Deserializer, Serializer
from arq.worker import Worker, logger

from worker.codec import Codec
from worker.engine.circuit_breaker import CircuitBreaker
from worker.engine.claimer import Claimer
from worker.engine.completer import Completer
from worker.engine.context import Parts
from worker.engine.lease_renewer import LeaseRenewer
from worker.engine.periodic import AbortWatch, CronClock, Pulse, every
from worker.engine.redis_health import REDIS_ERRORS, RedisHealth
from worker.engine.slots import Slots
from worker.errors import ConfigurationError
from worker.queue import keys
from worker.queue.heartbeats import HEARTBEAT_INTERVAL_S, STALE_AFTER_S
from worker.queue.scripts import Scripts
from worker.redis.client import DEFAULT_TIMEOUT_S, sync_twin

_log = structlog.stdlib.get_logger(__name__)

# How often cron jobs and requests to abort are looked at, unless `poll_delay` is shorter.
_TENDING_S = 0.5
_DRAIN_S = 5.0
_LAST_CLAIM_S = 2.0
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


def _both_serializers(serializer: Serializer | None, deserializer: Deserializer | None) -> dict[str, Any]:
    if serializer is not None and deserializer is None and serializer is not pickle.dumps:
        raise ConfigurationError(
            "job_serializer is set without job_deserializer; set both, or neither for this project's JSON"
        )
    codec = Codec()
    if serializer is None:
        serializer, deserializer = codec.encode, deserializer or codec.decode
    # Whoever asks for pickle by name gets arq's other half of it, which None stands for.
    return {"job_serializer": serializer, "job_deserializer": deserializer}


class LeaseWorker(Worker):
    """An arq worker that owns its jobs by renewed leases.

    Takes all of arq's settings, and `queues` (queues in order of precedence; default: arq's `queue_name`),
    `lease` (seconds) and `open_redis` (makes the connection pool; default: from arq's `redis_settings`). Jobs are
    JSON unless serializers are given. Raises `ConfigurationError` for a `job_serializer` that nothing reads.
    """

    # arq matches the attributes of a settings class against this signature and drops the rest in silence.
    __signature__ = _with_settings_of(Worker, "queues", "lease", "open_redis")

    def __init__(
        self,
        functions: Sequence[Any] = (),
        *,
        queues: Sequence[str] | None = None,
        lease: float = 10,
        open_redis: Callable[[], Awaitable[ArqRedis]] | None = None,
        **arq_settings: Any,
    ) -> None:
        arq_settings |= _both_serializers(arq_settings.get("job_serializer"), arq_settings.get("job_deserializer"))
        if queues:
            arq_settings.setdefault("queue_name", queues[0])
        super().__init__(functions, **arq_settings)
        if self._pool is not None:
            # arq would pickle what is enqueued through such a pool, cron jobs too, and we could not read it.
            self._pool.job_serializer = self._pool.job_serializer or self.job_serializer
            self._pool.job_deserializer = self._pool.job_deserializer or self.job_deserializer
        self.queues = tuple(queues or (self.queue_name,))
        self.lease_s = lease
        self.worker_id = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self.redis_health = RedisHealth()
        self.breaker = CircuitBreaker()
        self._open_redis = open_redis
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._serving = False

    async def main(self) -> None:
        """Serve the queues until a signal, or in burst mode until they are empty."""
        if self._pool is None:
            self._pool = await self._connect()
        logger.info("Starting worker for %d functions: %s", len(self.functions), ", ".join(self.functions))
        try:
            await log_redis_info(self.pool, logger.info)
        except REDIS_ERRORS as error:
            # It only tells of Redis. One that is gone again is waited for by whoever needs it.
            _log.warning("Redis tells nothing of itself", action="redis_info_failed", error=type(error).__name__)
        self.ctx["redis"] = self.pool
        if self.on_startup:
            await self.on_startup(self.ctx)
        await self._serve()

    async def _serve(self) -> None:
        self._serving = True
        scripts = Scripts(self.pool)
        parts = Parts(
            worker_id=self.worker_id,
            queues=self.queues,
            lease_s=self.lease_s,
            scripts=scripts,
            writer=Completer(scripts, self.redis_health),
            health=self.redis_health,
            breaker=self.breaker,
            wake=self._wake,
            stopping=self._stopping,
        )
        clock = CronClock(self)
        if self.burst:
            await clock.first_tick(parts)
        in_hand = Slots(self, parts)
        leases = in_hand.leases = LeaseRenewer(lambda: sync_twin(self.pool), self.lease_s, in_hand.lose)
        loop = Claimer(self, parts, in_hand)
        side_tasks = [
            # Two, so that one group is packed while Redis stores another.
            asyncio.create_task(parts.writer.run(), name="completion-writer-1"),
            asyncio.create_task(parts.writer.run(), name="completion-writer-2"),
            asyncio.create_task(loop.listen(), name="wake-up-listener"),
            asyncio.create_task(
                every(HEARTBEAT_INTERVAL_S, parts.health, Pulse(self, parts, in_hand).beat), name="heartbeat"
            ),
        ]
        tending_s = min(self.poll_delay_s, _TENDING_S)
        if self.allow_abort_jobs:
            look = AbortWatch(self, in_hand).look
            side_tasks.append(asyncio.create_task(every(tending_s, parts.health, look), name="abort-watch"))
        if self.cron_jobs:
            side_tasks.append(asyncio.create_task(every(tending_s, parts.health, clock.tick), name="cron-clock"))
        claiming = asyncio.create_task(loop.run(), name="claiming")
        try:
            # What runs beside the claiming never ends by itself: if it does, it failed, and so does the worker.
            waited_for: list[asyncio.Future[None]] = [claiming, leases.failed, *side_tasks]
            done, _ = await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            # In burst mode the last jobs end in their own time; a signal begins the grace period.
            await self._wait_for_running(parts.stopping)
            if parts.stopping.is_set():
                await self._wait_for_running(self._hurry, self._job_completion_wait)
        finally:
            self.allow_pick_jobs = False
            # A claim under way is let come back: cancelled, it would leave leases that nobody holds.
            self._stopping.set()
            self._wake.set()
            await asyncio.wait([claiming], timeout=_LAST_CLAIM_S)
            await _end(claiming)
            await self._hand_back(in_hand)
            await _end(*side_tasks)
            await leases.close()

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
        redis = await create_pool(
            self.redis_settings,
            job_serializer=self.job_serializer,
            job_deserializer=self.job_deserializer,
            default_queue_name=self.queue_name,
            expires_extra_ms=self.expires_extra_ms,
        )
        # arq's settings have no time-out for answers: a frozen Redis would hold up even the end of the worker.
        pool = redis.connection_pool
        if pool.connection_kwargs.get("socket_timeout") is None:
            pool.connection_kwargs["socket_timeout"] = DEFAULT_TIMEOUT_S
            await pool.disconnect()
            # Connections that were made keep what they were made with.
            pool.reset()
        return redis

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

    async def _hand_back(self, in_hand: Slots) -> None:
        in_hand.interrupt_all("shutdown")
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
        if not self._serving and self.main_task is not None:
            # It connects, or is in `on_startup`; neither looks at the events.
            self.main_task.cancel()
        if self.on_stop:
            self.on_stop(signum)

    handle_sig_wait_for_completion = handle_sig

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
            await self.pool.hdel(keys.WORKERS, self.worker_id)
        except REDIS_ERRORS as error:
            _log.warning("could not sign off", action="sign_off_failed", error=type(error).__name__)
        await self.pool.aclose(close_connection_pool=True)
        self._pool = None
        # `arq --watch` runs the same worker again.
        self._stopping.clear()
        self._hurry.clear()
        self._serving = False
        self.allow_pick_jobs = True

    async def record_health(self) -> None:
        """Write the key that `arq --check` reads; it lives no longer than a heartbeat counts."""
        queued = await self.pool.zcard(self.queue_name)
        word = (
            f"{datetime.now(self.timezone):%b-%d %H:%M:%S} j_complete={self.jobs_complete} "
            f"j_failed={self.jobs_failed} j_retried={self.jobs_retried} j_ongoing={len(self.tasks)} "
            f"queued={queued}"
        )
        await self.pool.set(self.health_check_key, word, px=int(STALE_AFTER_S * 1000))
