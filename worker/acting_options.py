"""Who acts, and why: options of every command that an operator acts with."""

import os
import pwd
import socket
from typing import Annotated

import typer
from typer.exceptions import TyperException

from worker.contract.acting import Acting
from worker.contract.actions import LONGEST_TEXT


def acting_options(
    *,
    actor: Annotated[
        str | None, typer.Option(help="Who acts, for the list of actions.  [default: user@host]")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the list of actions.")] = "",
) -> Acting:
    """Return who acts, and why. Raises `TyperException`."""
    who = f"{_user()}@{socket.gethostname()}" if actor is None else actor
    if not who.strip():
        raise TyperException("--actor: give a name")
    if max(len(who), len(reason)) > LONGEST_TEXT:
        raise TyperException(f"--actor and --reason may have {LONGEST_TEXT:,} characters")
    return Acting(who, reason)


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # A container may run under an id that has no name.
        return f"uid-{os.getuid()}"
