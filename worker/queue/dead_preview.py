"""What is shown before many dead letters are retried or discarded."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from worker.queue.dead_letter import DeadLetter
from worker.queue.dead_letter_store import StoredDeadLetter

_SHOWN = 5


@dataclass(slots=True)
class Preview:
    """How many dead letters there are, the first of them, and how many of them have no payload."""

    count: int = 0
    first: list[DeadLetter] = field(default_factory=list)
    without_payload: int = 0

    def add(self, page: Sequence[StoredDeadLetter]) -> None:
        """Count a page of `DeadLetterStore.pages`."""
        dead_letters = [found.dead_letter for found in page]
        self.count += len(dead_letters)
        self.first += dead_letters[: _SHOWN - len(self.first)]
        self.without_payload += sum(not dead.has_payload for dead in dead_letters)
