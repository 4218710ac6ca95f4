"""How the free slots of a worker are shared among its queues."""

from collections import Counter
from collections.abc import Mapping, Sequence

# At every eighth claim the other queues go first, for one job each, so that a first queue that is always full
# cannot starve them.
_TURN = 8


class QueueShares:
    """Says how many jobs each queue may give to a claim.

    `slots` holds the most jobs of each queue that this worker runs at once, in the order of precedence; `max_jobs`
    is the number of all slots.
    """

    def __init__(self, slots: Mapping[str, int], max_jobs: int) -> None:
        self._slots = dict(slots)
        self.counts_running = len(self._slots) > 1 or min(self._slots.values()) < max_jobs
        """Whether `limits` needs `running`: it does not if a single queue may fill all slots."""

    def with_room(self, running: Sequence[str]) -> list[str]:
        """Return the queues of which another job may run, `running` being the queue of each running job."""
        counts = Counter(running)
        return [queue for queue, slots in self._slots.items() if counts[queue] < slots]

    def limits(self, turn: int, wanted: int, running: Sequence[str]) -> list[tuple[str, int]]:
        """Return the queues in the order to ask them, each with the most jobs that it may give.

        `turn` is the number of this claim, `wanted` the free slots, `running` the queue of each running job.
        """
        counts = Counter(running)
        room = {queue: max(0, min(slots - counts[queue], wanted)) for queue, slots in self._slots.items()}
        first, *others = room.items()
        limits = [first, *others]
        if turn % _TURN == 0:
            limits = [(queue, min(1, free)) for queue, free in others] + [first]
        return limits
