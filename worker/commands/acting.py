"""Who acts, and why: options of every command that changes something in the queue, and the record of the act."""

import os
import pwd
import socket
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated

import typer

from worker.contract.actions import MOST_IDS, Act, Action, ActionTarget
from worker.failing import fail

_LONGEST = 1_000


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts, and why; the reason may be empty."""

    actor: str
    reason: str

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


def acting_options(
    *,
    actor: Annotated[
        str | None, typer.Option(help="Who acts, for the list of actions.  [default: user@host]")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the list of actions.")] = "",
) -> Acting:
    """Return who acts, and why."""
    who = f"{_user()}@{socket.gethostname()}" if actor is None else actor
    if not who.strip():
        fail("--actor: give a name")
    if max(len(who), len(reason)) > _LONGEST:
        fail(f"--actor and --reason may have {_LONGEST:,} characters")
    return Acting(who, reason)


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # A container may run under an id that has no name.
        return f"uid-{os.getuid()}"
