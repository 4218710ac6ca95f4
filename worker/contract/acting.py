"""Who acts, and why: what the records of an operator's acts have in common."""

from collections.abc import Collection
from dataclasses import dataclass

from worker.contract.actions import MOST_IDS, Act, Action, ActionTarget


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts, and why; the reason may be empty."""

    actor: str
    reason: str = ""

    def on(
        self,
        act: Act,
        target: ActionTarget,
        ids: Collection[str] = (),
        *,
        selection: dict[str, str] | None = None,
        count: int | None = None,
        result: str = "done",
        operation: str = "",
    ) -> Action:
        """Return the record of an act on these ids, or on what `selection` chose."""
        return Action(
            actor=self.actor,
            act=act,
            target=target,
            ids=tuple(ids)[:MOST_IDS],
            selection=selection or {},
            count=len(ids) if count is None else count,
            result=result,
            reason=self.reason,
            operation=operation,
        )
