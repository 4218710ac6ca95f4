"""How the free slots of a worker are shared among the queues."""

from collections import Counter
from collections.abc import Sequence

# A chunk of a file keeps MongoDB busy for tens of milliseconds; a few at a time saturate it, and more would
# only delay the single jobs beside them.
_BULK_SLOTS_PER_JOBS = 50
_LEAST_BULK_SLOTS = 4
# Every so many claims the other queues go first, for one job each, so that a first queue that is always full
# cannot starve them.
_TURN = 8


class QueueShares:
    """Tells a claim how many jobs each queue may give.

    The first queue may fill every slot. The others are for bulk work: each may hold a few slots, and is asked
    first, for one job, at every eighth claim.
    """

    def __init__(self, queues: Sequence[str], max_jobs: int) -> None:
        self._queues = tuple(queues)
        self._bulk_slots = min(max_jobs, max(_LEAST_BULK_SLOTS, max_jobs // _BULK_SLOTS_PER_JOBS))

    def limits(self, turn: int, wanted: int, held: Sequence[str]) -> list[tuple[str, int]]:
        """Return queues in the order to ask them, each with the most jobs it may give.

        `turn` is the number of this claim, `wanted` the free slots, `held` the queue of each running job.
        """
        first, *others = self._queues
        running = Counter(held)
        room = {queue: max(0, self._bulk_slots - running[queue]) for queue in others}
        limits = [(first, wanted), *room.items()]
        if turn % _TURN == 0:
            limits = [(queue, min(1, room[queue])) for queue in others] + limits[:1]
        return limits
