"""How many jobs have ended between two looks at the workers' heartbeats."""

from collections.abc import Iterable

from worker.queue.heartbeats import Heartbeat


class EndedCounter:
    """Counts the jobs that workers have ended, from one look to the next."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def since_last_look(self, workers: Iterable[Heartbeat]) -> int:
        """Return how many jobs these workers have ended since the last call, without those of new workers."""
        ended = {worker.worker: worker.complete + worker.failed for worker in workers}
        # A worker that is new here may have counted for hours.
        more = sum(max(0, count - self._known.get(name, count)) for name, count in ended.items())
        # After a fail-over Redis may have older heartbeats of the same processes, which never count back.
        self._known = {name: max(count, self._known.get(name, 0)) for name, count in ended.items()}
        return more
