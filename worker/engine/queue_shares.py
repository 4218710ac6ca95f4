"""How the free slots of a worker are shared among its queues."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

# At every eighth claim the other queues go first, for one job each, so that a first queue that is always full
# cannot starve them.
_TURN = 8


class QueueShares:
    """Says how many jobs each queue may give to a claim.

    `slots` holds the most jobs of each queue that this worker runs at once, in the order of precedence; `max_jobs`
    is the number of all slots. The queues of `in_turn` stand together, where the first of them stands: at each
    claim another one of them goes first, and each gets an equal part of what is wanted, and what the others leave.
    """

    def __init__(self, slots: Mapping[str, int], max_jobs: int, in_turn: Collection[str] = ()) -> None:
        self._slots = dict(slots)
        self._ranks = _ranks(list(slots), in_turn)
        self.counts_running = len(self._slots) > 1 or min(self._slots.values()) < max_jobs
        """Whether `limits` needs `running`: it does not if a single queue may fill all slots."""

    def with_room(self, running: Sequence[str]) -> list[str]:
        """Return the queues of which another job may run, `running` being the queue of each running job."""
        counts = Counter(running)
        return [queue for queue, slots in self._slots.items() if counts[queue] < slots]

    def limits(self, turn: int, wanted: int, running: Sequence[str]) -> list[tuple[str, int]]:
        """Return the queues in the order to ask them, each with the most jobs that it may give.

        `turn` is the number of this claim, `wanted` the free slots, `running` the queue of each running job. A
        queue of several that take turns is named a second time if it may give more than its part.
        """
        counts = Counter(running)
        room = {queue: max(0, min(slots - counts[queue], wanted)) for queue, slots in self._slots.items()}
        first, *others = [_limits_of(rank, turn, wanted, room) for rank in self._ranks]
        if turn % _TURN == 0:
            later = [queue for rank in self._ranks[1:] for queue in rank]
            return [(queue, min(1, room[queue])) for queue in later] + first
        return first + [limit for limits in others for limit in limits]


def _ranks(queues: Sequence[str], in_turn: Collection[str]) -> list[list[str]]:
    """Return the queues in the order of precedence, those of equal standing together."""
    equal = [queue for queue in queues if queue in in_turn]
    first = equal[:1]
    return [equal if queue in first else [queue] for queue in queues if queue in first or queue not in equal]


def _limits_of(rank: list[str], turn: int, wanted: int, room: Mapping[str, int]) -> list[tuple[str, int]]:
    begin = turn % len(rank)
    order = rank[begin:] + rank[:begin]
    part = -(-wanted // len(rank))
    parts = [(queue, min(part, room[queue])) for queue in order]
    return parts + [(queue, room[queue] - part) for queue in order if room[queue] > part]
