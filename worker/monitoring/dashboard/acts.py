"""What a user of the page does: kept among the actions of operators, and logged."""

import structlog

from worker.contract.acting import Acting
from worker.contract.actions import LONGEST_TEXT, Act, ActionTarget
from worker.monitoring.dashboard.access import Form
from worker.monitoring.dashboard.problems import Problem
from worker.monitoring.dashboard.services import Services
from worker.monitoring.dashboard.sessions import Session
from worker.queue.actions import keep_action

_log = structlog.stdlib.get_logger(__name__)


def acting_of(session: Session, form: Form) -> Acting:
    """Return who acts, and why, as the field `reason` of a form says. Raises `Problem` if that is too long."""
    reason = form.get("reason", "").strip()
    if len(reason) > LONGEST_TEXT:
        raise Problem(400, "Too long", f"A reason may have {LONGEST_TEXT:,} characters.", "Go back and shorten it.")
    return Acting(f"{session.user.name}@dashboard", reason)


async def record(
    services: Services, session: Session, act: Act, target: ActionTarget, name: str, form: Form
) -> None:
    """Keep an act before it is done, so that none is done unrecorded; `name` is the id of what it is done to.

    Raises `OutageError` if the act cannot be kept.
    """
    operation = name if target == "operation" else ""
    action = acting_of(session, form).on(act, target, [name], result="asked for", operation=operation)
    await services.read(keep_action(services.redis, action))
    log_act(session, act, name)


def log_act(session: Session, act: Act, name: str) -> None:
    """Log an act whose record is kept in the step that does it."""
    _log.info("a user of the page acts", action="dashboard_act", user=session.user.name, act=act, on=name)
