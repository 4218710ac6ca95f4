"""The results of one row of the fault matrix: faults injected, the longest pause, and the ledger's account."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.faults.ledger import Account


@dataclass
class Row:
    """A test fills it in, the plugin in conftest.py collects it, and `python -m tests.faults` prints it."""

    number: int
    name: str
    seed: int
    faults: int = 0
    pause_s: float | None = None
    accepted: int = 0
    applied: int = 0
    dead: int = 0
    lost: int = 0
    doubled: int = 0
    notes: dict[str, Any] = field(default_factory=dict)
    passed: bool = False
    seconds: float = 0.0

    def note_pause(self, seconds: float) -> None:
        """Record a pause, in seconds; the longest is kept."""
        self.pause_s = round(max(self.pause_s or 0.0, seconds), 2)

    def note_account(self, account: Account) -> None:
        """Add the ledger's account; half-applied and unexpected effects count as doubled."""
        self.accepted += account.accepted
        self.applied += account.applied
        self.dead += account.dead
        self.lost += len(account.lost)
        self.doubled += len(account.doubled) + len(account.broken) + len(account.unexpected)


_ROWS = pytest.StashKey[list[Row]]()


def rows_of(config: pytest.Config) -> list[Row]:
    """Return the rows of this pytest run; callers may append to the list."""
    return config.stash.setdefault(_ROWS, [])
