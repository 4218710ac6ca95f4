"""What operators did: one `Action` for each act, in the words of the collection `actions`."""

import secrets
from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, ConfigDict, Field

from worker.contract.deferred import Deferred

Act = Literal["pause", "resume", "abort", "retry", "discard", "edit", "import", "stop", "continue", "cancel", "run"]
ActionTarget = Literal["queue", "function", "job", "dead letters", "operation", "import", "cron job"]
MOST_IDS = 100
"""So many ids are kept of an act; `count` says how many there were."""
LONGEST_TEXT = 1_000
"""Characters of an actor or a reason."""


class Action(Deferred):
    """One act of an operator: who, when, what, on what, and what came of it.

    `ids` names what was acted on, at most `MOST_IDS` of it, and `selection` is the filter that chose it, if one
    did. `count` is how many there were, if that is known. `operation` is the handle of an act that takes a while:
    it is recorded when it begins and again when it ends.
    """

    model_config = ConfigDict(frozen=True)

    id: str = Field(default_factory=lambda: secrets.token_hex(12), max_length=100)
    at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    actor: str = Field(min_length=1, max_length=LONGEST_TEXT)
    act: Act
    target: ActionTarget
    ids: tuple[str, ...] = Field((), max_length=MOST_IDS)
    selection: dict[str, str] = {}
    count: int | None = Field(None, ge=0)
    result: str = Field("done", max_length=LONGEST_TEXT)
    reason: str = Field("", max_length=LONGEST_TEXT)
    operation: str = Field("", max_length=100)
