"""What a user of the page does: kept among the actions of operators, and logged."""

import structlog

from worker.contract.actions import Act, Action, ActionTarget
from worker.monitoring.dashboard.services import Services
from worker.monitoring.dashboard.sessions import Session
from worker.queue.actions import keep_action

_log = structlog.stdlib.get_logger(__name__)


async def record(services: Services, session: Session, act: Act, target: ActionTarget, name: str) -> None:
    """Keep an act before it is done, so that none is done unrecorded; `name` is the id of what it is done to.

    Raises `OutageError` if the act cannot be kept.
    """
    action = Action(
        actor=f"{session.user.name}@dashboard", act=act, target=target, ids=(name,), count=1, result="asked for"
    )
    await services.read(keep_action(services.redis, action))
    _log.info("a user of the page acts", action="dashboard_act", user=session.user.name, act=act, on=name)
