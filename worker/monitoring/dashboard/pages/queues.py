"""The queues, and the jobs on one of them page by page."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from redis.asyncio import Redis

from worker.monitoring.dashboard.access import LoggedIn, SharedServices
from worker.monitoring.dashboard.problems import Problem
from worker.monitoring.dashboard.rendering import render
from worker.monitoring.pause_words import paused_since
from worker.monitoring.times import instant
from worker.queue import keys
from worker.queue.heartbeats import STALE_AFTER_S, read_heartbeats, redis_time
from worker.queue.pauses import field_of, known_names, read_pauses
from worker.queue.sorted_pages import read_entries
from worker.queue.stats import read_stats

router = APIRouter()
_PAGE = 50


@router.get("/queues")
async def show_queues(request: Request, services: SharedServices, _session: LoggedIn) -> Response:
    """Show how long the queues are, what is paused, and the batches under way."""
    stats = await services.read(read_stats(services.redis, tuple(services.settings.worker_queues)))
    alive = [worker for worker, age_s in stats.workers if age_s <= STALE_AFTER_S]
    known = known_names(services.settings.worker_queues, alive)
    paused = {pause.field for pause in stats.pauses}
    return render(
        request,
        "queues.html",
        stats=stats,
        paused_queues={pause.name for pause in stats.pauses if pause.kind == "queue"},
        pauses=[(pause, instant(pause.since_ms, stats.now_ms) if pause.since_ms else "") for pause in stats.pauses],
        ignoring=[worker.worker for worker in alive if worker.paused is None],
        pausable={
            kind: [(name, field_of(kind, name)) for name in sorted(names) if field_of(kind, name) not in paused]
            for kind, names in known.items()
        },
    )


@router.get("/queue")
async def show_queue(
    request: Request,
    services: SharedServices,
    _session: LoggedIn,
    name: Annotated[str, Query(max_length=500)],
    after: Annotated[str, Query(max_length=5_000)] = "",
) -> Response:
    """Show some jobs of a queue, the one that is due first first."""
    redis = services.redis
    if name not in services.settings.worker_queues:
        # A key of this name may hold anything, so only workers can say that it is a queue.
        served = {queue for worker in await services.read(read_heartbeats(redis)) for queue in worker.queues}
        if name not in served:
            raise Problem(
                404, "Not found", "No queue has this name (WORKER_QUEUES).", "Choose one from the list of queues."
            )
    entries = await services.read(read_entries(redis, name, after, _PAGE + 1))
    shown = entries[:_PAGE]
    scores, leases = await services.read(_scores_and_leases(redis, name, [entry.member for entry in shown]))
    now_ms = (await services.read(redis_time(redis))).timestamp() * 1000
    jobs = [
        {
            "job_id": entry.member.decode(errors="backslashreplace"),
            "state": "in flight" if lease is not None else "waiting" if score <= now_ms else "deferred",
            "at": instant(score, now_ms),
        }
        for entry, score, lease in zip(shown, scores, leases, strict=True)
        # Without one it has ended meanwhile.
        if score is not None
    ]
    more = shown[-1].cursor() if len(entries) > _PAGE else ""
    pauses = await services.read(read_pauses(redis))
    paused = [paused_since(pause, now_ms) for pause in pauses if pause.field == field_of("queue", name)]
    return render(request, "queue.html", name=name, jobs=jobs, after=after, more=more, paused=paused)


async def _scores_and_leases(redis: "Redis[bytes]", queue: str, members: list[bytes]) -> list[list[float | None]]:
    """Return when each job is due and when its lease ends, both of one instant: a claim or an end changes both."""
    if not members:
        return [[], []]
    async with redis.pipeline(transaction=True) as pipe:
        pipe.zmscore(queue, members)
        pipe.zmscore(queue + keys.LEASED_SUFFIX, members)
        found: list[list[float | None]] = await pipe.execute()
    return found
