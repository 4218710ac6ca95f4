"""What the owner of a key does to jobs and imports: kept among the actions of operators, and logged."""

import structlog

from producers.gateway.keys import ApiKey
from producers.gateway.services import Services
from worker.contract.acting import Acting
from worker.contract.actions import Act, ActionTarget

_log = structlog.stdlib.get_logger(__name__)


async def record(
    services: Services, key: ApiKey, act: Act, target: ActionTarget, name: str, reason: str = ""
) -> None:
    """Keep an act on the thing of this id before it is done, so that none is done unrecorded.

    Raises `OutageError` or `ConfigurationError` if it cannot be kept.
    """
    action = Acting(actor_of(key), reason).on(act, target, [name], result="asked for")
    await services.producer.record_action(action)
    _log.info("the owner of a key acts", action="gateway_act", owner=key.owner, act=act, on=name)


def actor_of(key: ApiKey) -> str:
    """Return who acts, in the words of the actions of operators."""
    return f"{key.owner}@gateway"
