"""Tries that have ended, for what counts them."""

from collections.abc import Sequence
from typing import NamedTuple

from worker.monitoring.tallies import Tallies


class Ended(NamedTuple):
    """What `Tallies` needs of the engine's event."""

    function: str = "ingest"
    queue: str = "arq:queue"
    outcome: str = "complete"
    pickup_s: float = 0.0
    run_s: float = 0.0
    error_class: str = ""


def tallies(*events: Ended, functions: Sequence[str] = ("ingest", "register")) -> Tallies:
    """Return the tallies of these tries, by a worker that has these functions."""
    made = Tallies(functions)
    for event in events:
        made.try_ended(event)
    return made
