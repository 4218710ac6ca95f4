"""What a run of one row of the matrix showed: faults injected, the longest pause, and the ledger's account."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.faults.ledger import Account


@dataclass
class Row:
    """Filled in by a test, collected by the plugin in conftest.py, printed by `python -m tests.faults`."""

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

    def paused(self, seconds: float) -> None:
        """Note a pause; the longest counts."""
        self.pause_s = round(max(self.pause_s or 0.0, seconds), 2)

    def note_account(self, account: Account) -> None:
        """Add the ledger's account; half-applied and unasked effects count as doubled."""
        self.accepted += account.accepted
        self.applied += account.applied
        self.dead += account.dead
        self.lost += len(account.lost)
        self.doubled += len(account.doubled) + len(account.broken) + len(account.unasked)


_ROWS = pytest.StashKey[list[Row]]()


def rows_of(config: pytest.Config) -> list[Row]:
    """Return the rows of a run of pytest, to be added to and read."""
    return config.stash.setdefault(_ROWS, [])
