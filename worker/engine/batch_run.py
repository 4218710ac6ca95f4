"""What a job of a batch finds in its context."""

from redis.asyncio import Redis

from worker.queue.batches import BatchProgress, BatchStore, check_count


class BatchRun:
    """The batch of a running job, as `ctx["batch"]`; the completion job of a batch finds that batch there.

    A job outside batches has no such entry in its context. `counts` is what this try has counted so far.
    """

    __slots__ = ("_redis", "counts", "id")

    def __init__(self, batch_id: str, redis: "Redis[bytes]") -> None:
        self.id = batch_id
        self.counts: dict[str, int] = {}
        self._redis = redis

    def count(self, name: str, number: int = 1) -> None:
        """Add to a counter of the batch, in the same step that completes the job; a try that fails counts nothing.

        `name` has up to 64 lower-case letters, digits and `_`, and begins with a letter; `number` is 0 or more.
        Raises `ValueError`.
        """
        check_count(name, number)
        self.counts[name] = self.counts.get(name, 0) + number

    async def progress(self) -> BatchProgress:
        """Return how far the batch is. Raises `BatchNotFound`, and redis-py's errors."""
        return await BatchStore(self._redis).progress(self.id)
