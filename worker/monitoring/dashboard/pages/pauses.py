"""Pause and resume queues and functions."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from worker.monitoring.dashboard.access import Operator, PostedForm, SharedServices
from worker.monitoring.dashboard.acts import acting_of, log_act
from worker.monitoring.dashboard.problems import Problem
from worker.monitoring.dashboard.services import Services
from worker.monitoring.pause_words import paused_since
from worker.queue.heartbeats import read_heartbeats
from worker.queue.pauses import Pause, field_of, known_names, now_ms, read_pauses
from worker.queue.pauses import pause as store_pauses
from worker.queue.pauses import resume as remove_pauses

router = APIRouter()


@router.post("/queues/pause")
async def pause(services: SharedServices, session: Operator, form: PostedForm) -> Response:
    """Let no worker start jobs of a queue or of a function, until it is resumed."""
    acting, redis = acting_of(session, form), services.redis
    chosen = await _known(services, form.get("what", ""))
    at_ms = await services.read(now_ms(redis))
    earlier = await _earlier(services, chosen.field)
    if earlier is not None:
        session.notice = f"The {chosen.kind} {chosen.name} is {paused_since(earlier, at_ms)} already."
        return _queues_page()
    wanted = Pause(chosen.kind, chosen.name, at_ms, acting.actor, acting.reason)
    await services.read(store_pauses(redis, [wanted], acting.on("pause", wanted.kind, [wanted.name])))
    log_act(session, "pause", wanted.field)
    session.notice = f"The {wanted.kind} {wanted.name} is paused: workers start none of its jobs."
    return _queues_page()


@router.post("/queues/resume")
async def resume(services: SharedServices, session: Operator, form: PostedForm) -> Response:
    """Let jobs of a paused queue or function start again."""
    earlier = await _earlier(services, form.get("what", ""))
    if earlier is None:
        session.notice = "It was not paused any more."
        return _queues_page()
    if form.get("since", str(earlier.since_ms)) != str(earlier.since_ms):
        since = paused_since(earlier, await services.read(now_ms(services.redis)))
        raise Problem(
            409,
            "Changed meanwhile",
            f"It was resumed and is {since}, so nothing was done.",
            "Go back to the page Queues, and resume it there if you want that pause to end.",
        )
    action = acting_of(session, form).on("resume", earlier.kind, [earlier.name])
    await services.read(remove_pauses(services.redis, [earlier], action))
    log_act(session, "resume", earlier.field)
    session.notice = f"The {earlier.kind} {earlier.name} was resumed."
    return _queues_page()


async def _known(services: Services, field: str) -> Pause:
    """Return what a form names. Raises `Problem` if there is no such queue or function."""
    heartbeats = await services.read(read_heartbeats(services.redis))
    for kind, names in known_names(services.settings.worker_queues, heartbeats).items():
        name = field.removeprefix(field_of(kind, ""))
        if name != field and name in names:
            return Pause(kind, name)
    raise Problem(
        400, "Not known", "There is no such queue or function.", "Go back to the page Queues, and choose one."
    )


async def _earlier(services: Services, field: str) -> Pause | None:
    pauses = await services.read(read_pauses(services.redis))
    return next((it for it in pauses if it.field == field), None)


def _queues_page() -> Response:
    return RedirectResponse("/queues", status_code=303)
