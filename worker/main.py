"""The composition root: `arq worker.main.WorkerSettings` runs the worker assembled here. Nothing imports it.

Importing this module reads the settings from the environment, because arq reads the attributes of a class; a wrong
setting ends the program with one line. Connections are made when the worker starts.
"""

import os

from worker.first_process import heed_sigterm

if os.name == "posix":
    # Before the imports below, which take a second.
    heed_sigterm()

import asyncio
import functools
import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import arq.worker
import structlog
import uvloop
from arq.connections import ArqRedis, RedisSettings
from arq.worker import func

from worker.codec import Codec
from worker.engine import events
from worker.engine.arq_redis import arq_redis_settings, open_arq_redis
from worker.engine.dead_letter_archive import DeadLetterLimits
from worker.engine.history_mover import StoreEnds
from worker.engine.shutdown import cancel
from worker.engine.worker import LeaseWorker
from worker.errors import ConfigurationError, OutageError
from worker.hidden_task import hidden
from worker.jobs import JOB_FUNCTIONS
from worker.jobs.context import CONTEXT_KEY, WorkerContext
from worker.logs import configure_logging
from worker.mongo.actions import store_actions
from worker.mongo.client import open_mongo
from worker.mongo.job_history import JobHistory
from worker.mongo.outbox import Outbox
from worker.mongo.registrations import Registrations
from worker.mongo.schema import ensure_schema
from worker.mongo.startup import check_mongo
from worker.monitoring.action_mover import keep_moving_actions
from worker.monitoring.observer import WorkerObserver
from worker.process_memory import share_one_heap
from worker.redis.client import connections_in_use, registry_mark
from worker.redis.startup import check_redis
from worker.settings import Settings, load_settings, unknown_variables
from worker.tracing.extra import needs_extra
from worker.version import installed_version

if TYPE_CHECKING:
    from worker.tracing.worker_tracing import WorkerTracing

# Python's defaults, 700, 10 and 10, scan the rows of a file over and over. With higher thresholds the frames of
# failed commands, which form cycles, pile up: docs/performance.md has figures.
_GC_THRESHOLDS = (10_000, 2, 2)

# Where the context has the task that moves what operators did.
_ACTIONS_KEY = "hospital_actions"
_TRACING_KEY = "hospital_tracing"

# What the log calls these events, and so do the metrics.
_FAULTS: dict[type, str] = {
    events.HookFailed: "hook_failed",
    events.JobTooLargeForLink: "job_too_large_for_link",
    events.CompletionDropped: "completion_dropped",
    events.RenewalsHeldUp: "renewals_held_up",
    events.EventLoopBlocked: "event_loop_blocked",
    events.JobIgnoresCancellation: "job_ignores_cancellation",
    events.JobLeftThread: "job_left_thread",
    events.DeadLettersNotMoved: "dead_letters_not_moved",
    events.OutboxHeldUp: "outbox_held_up",
    events.OutboxJobSkipped: "outbox_job_skipped",
    events.OutboxDocumentsUnreadable: "outbox_documents_unreadable",
}

_log = structlog.stdlib.get_logger(__name__)
# On every log line, once the worker is made.
_identity: dict[str, object] = {}


def _settings_or_exit() -> tuple[Settings, RedisSettings]:
    try:
        settings = load_settings()
        return settings, arq_redis_settings(settings)
    except ConfigurationError as error:
        raise SystemExit(f"The worker cannot start: {error}") from None


_settings, _redis_settings = _settings_or_exit()
_OBSERVER = "hospital_registry_observer"
_codec = Codec(_settings.signing_secrets())


def _dead_letter_limits() -> DeadLetterLimits | None:
    if not _settings.worker_dead_letter_folder:
        return None
    return DeadLetterLimits(
        # Absolute from the start: a job may change the working directory.
        folder=Path(_settings.worker_dead_letter_folder).absolute(),
        days=_settings.worker_dead_letter_days,
        count=_settings.worker_dead_letter_count,
        bytes=_settings.worker_dead_letter_bytes,
    )


def _open_history(ctx: dict[Any, Any]) -> StoreEnds:
    mongo = ctx[CONTEXT_KEY].mongo
    days, most_jobs = _settings.worker_history_days, _settings.worker_history_jobs
    return JobHistory(mongo, days=days, most_jobs=most_jobs).store


def _open_outbox(ctx: dict[Any, Any]) -> Outbox:
    return Outbox(ctx[CONTEXT_KEY].mongo)


def use_lease_engine() -> None:
    """Make `arq`'s command line build `LeaseWorker`.

    arq names its worker's class in one place, `arq.worker.Worker`, and offers no other way to choose it.
    """
    arq.worker.Worker = LeaseWorker  # type: ignore[misc]
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


async def _connect() -> ArqRedis:
    # Not at import: arq's command line sets up its own logging after it has imported this module.
    configure_logging(_settings, _identity)
    try:
        redis = open_arq_redis(_settings, _codec)
    except ConfigurationError as error:
        raise SystemExit(f"The worker cannot start: {error}") from None
    for name in unknown_variables(os.environ):
        _log.warning(
            "no setting has this name; `hospital-worker settings` lists all", action="setting_unknown", name=name
        )
    try:
        for warning in await check_redis(redis, _settings):
            _log.warning(warning, action="redis_warning")
    except (ConfigurationError, OutageError) as error:
        await redis.aclose(close_connection_pool=True)
        raise SystemExit(f"The worker cannot start: {error}") from None
    except asyncio.CancelledError:
        # A signal arrived during start-up.
        await redis.aclose(close_connection_pool=True)
        raise
    return redis


def observe(worker: LeaseWorker) -> None:
    """Subscribe what watches a worker to its events, and name the worker in the log."""
    _identity.update(worker=worker.worker_id, pid=os.getpid())
    observer = WorkerObserver(
        _settings, worker.functions, worker.queues, worker.rate_limits, lambda: worker.latest_heartbeat
    )
    metrics = observer.metrics
    worker.events.subscribe(events.TryEnded, observer.tallies.try_ended)
    worker.events.subscribe(events.Claimed, metrics.claimed)
    worker.events.subscribe(events.ClaimFailed, metrics.claim_failed)
    worker.events.subscribe(events.CompletionsStored, metrics.completions_stored)
    worker.events.subscribe(events.BreakerChanged, metrics.breaker_changed)
    worker.events.subscribe(events.RedisLost, metrics.redis_lost)
    for kind, action in _FAULTS.items():
        worker.events.subscribe(kind, metrics.fault(action))
    worker.heartbeat_facts = lambda: {
        "version": installed_version(),
        **observer.heartbeat_facts(),
        **_connections(worker),
    }
    worker.ctx[_OBSERVER] = observer
    tracing = _open_tracing(worker.worker_id)
    if tracing is not None:
        worker.ctx[_TRACING_KEY] = tracing
        worker.events.subscribe(events.JobStarted, tracing.jobs.job_started)
        worker.events.subscribe(events.TryEnded, tracing.jobs.try_ended)


def _open_tracing(worker_id: str) -> "WorkerTracing | None":
    if _settings.queue_tracing == "off":
        return None
    try:
        with needs_extra():
            from worker.tracing.worker_tracing import WorkerTracing  # noqa: PLC0415 (needs the extra)
    except ConfigurationError as error:
        raise SystemExit(f"The worker cannot start: {error}") from None
    return WorkerTracing(worker_id, installed_version(), parent=_settings.queue_tracing == "parent")


def _connections(worker: LeaseWorker) -> dict[str, int]:
    context: WorkerContext | None = worker.ctx.get(CONTEXT_KEY)
    redis = worker.pool.connection_pool
    found = {"redis_connections": connections_in_use(redis), "redis_pool": _settings.redis_pool_size}
    if context is not None:
        found |= {
            "mongodb_connections": context.mongo.pool.checked_out,
            "mongodb_pool": _settings.mongodb_pool_size,
        }
    return found


async def on_startup(ctx: dict[Any, Any]) -> None:
    """Open the one MongoDB client that all jobs of this process share."""
    # Before the driver starts its threads.
    share_one_heap()
    tracing: WorkerTracing | None = ctx.get(_TRACING_KEY)
    try:
        if tracing is not None:
            tracing.start()
        mongo = open_mongo(_settings, [] if tracing is None else [tracing.commands])
    except ConfigurationError as error:
        raise SystemExit(f"The worker cannot start: {error}") from None
    try:
        version = await check_mongo(mongo, _settings)
        await ensure_schema(mongo)
    except (ConfigurationError, OutageError) as error:
        await mongo.close()
        raise SystemExit(f"The worker cannot start: {error}") from None
    except asyncio.CancelledError:
        # A signal arrived during start-up.
        await mongo.close()
        raise
    ctx[CONTEXT_KEY] = WorkerContext(_settings, mongo, Registrations(mongo))
    try:
        address = await ctx[_OBSERVER].start(ctx["redis"], tuple(_queues), Outbox(mongo).size)
    except ConfigurationError as error:
        await mongo.close()
        raise SystemExit(f"The worker cannot start: {error}") from None
    if address:
        _log.info("serving metrics", action="metrics_served", address=address)
    moving = keep_moving_actions(ctx["redis"], functools.partial(store_actions, mongo))
    ctx[_ACTIONS_KEY] = hidden(asyncio.create_task(moving, name="actions"))
    # A worker's many short-lived objects would have the collector walk the lasting ones over and over.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    _log.info("connected to MongoDB", action="mongo_connected", version=version, driver=_settings.mongodb_driver)


async def on_shutdown(ctx: dict[Any, Any]) -> None:
    """Close the shared MongoDB client."""
    if (moving := ctx.pop(_ACTIONS_KEY, None)) is not None:
        await cancel(moving)
    await ctx[_OBSERVER].stop()
    context: WorkerContext | None = ctx.pop(CONTEXT_KEY, None)
    if context is not None:
        statistics = context.mongo.pool
        await context.mongo.close()
        _log.info("MongoDB client closed", action="mongo_closed", highest_checked_out=statistics.highest)
    tracing: WorkerTracing | None = ctx.get(_TRACING_KEY)
    if tracing is not None:
        await tracing.stop()


use_lease_engine()
_queues = _settings.queue_slots()
_functions = [func(cast(Any, job), name=job.__name__) for job in JOB_FUNCTIONS]


class WorkerSettings:
    """What arq reads. Inherited attributes would be ignored, so everything is set on the class itself."""

    functions = _functions
    redis_settings = _redis_settings
    open_redis = _connect
    queue_name = next(iter(_queues))
    queues = _queues
    lease = _settings.worker_lease
    source_queues = _settings.source_queues
    rate_limits = _settings.queue_rates
    dead_letter_limits = _dead_letter_limits()
    open_history = _open_history if _settings.worker_history_days else None
    open_outbox = _open_outbox
    owns_process = True
    registry = registry_mark(_settings)
    observe = observe
    on_startup = on_startup
    on_shutdown = on_shutdown
    job_serializer = _codec.encode
    job_deserializer = _codec.decode
    max_jobs = _settings.worker_max_jobs
    max_tries = _settings.worker_max_tries
    job_timeout = _settings.worker_job_timeout
    job_completion_wait = _settings.worker_grace_period
    keep_result = _settings.worker_keep_result
    poll_delay = _settings.worker_poll_delay
    health_check_interval = 5
    allow_abort_jobs = True
    log_results = False
