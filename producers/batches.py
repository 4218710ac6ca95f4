"""A producer's side of batches: jobs that belong together, and one job that runs once they have all ended.

batch = producer.batch("import-7")
await batch.create(completion=(REPORT, Report(title="June")))
await batch.add(INGEST_HOSPITALS, chunks, keys=["0", "1", "2"])
await batch.seal()
print(await batch.wait(timeout=60))
"""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from producers.groups import in_groups
from producers.queue import QueueClient
from producers.receipts import Receipt
from worker.contract import JobSpec, batch_job_id
from worker.errors import InvalidPayload, PayloadProblem, QueueFull
from worker.queue.batches import LONGEST_ID, BatchJob, BatchProgress, is_batch_id
from worker.queue.scripts import Enqueue

P = TypeVar("P", bound=BaseModel)
O_co = TypeVar("O_co", bound=BaseModel, covariant=True)

_FIRST_POLL_S, _LONGEST_POLL_S = 0.02, 1.0


class Batch:
    """One batch. Any process can use it by its id; made by `HospitalProducer.batch`.

    Each call raises `OutageError` if Redis does not answer, and may then be repeated. Except for `create`, each
    raises `BatchNotFound` if there is no such batch.
    """

    def __init__(self, queue: QueueClient, batch_id: str | None = None) -> None:
        self.id = secrets.token_urlsafe(12) if batch_id is None else batch_id
        if not is_batch_id(self.id):
            reason = f"must be 1 to {LONGEST_ID} ASCII letters, digits, '.', '_' and '-'"
            raise InvalidPayload("batch", [PayloadProblem("batch_id", reason)])
        self._queue = queue

    async def create(self, completion: tuple[JobSpec[P, Any], P] | None = None) -> bool:
        """Create the batch, with the job to run once it has ended; returns whether it is new.

        A batch that exists stays as it is, with its jobs and its completion job. That job finds the batch in its
        context, `ctx["batch"]`, as the batch's jobs do.
        """
        job: Enqueue | None = None
        if completion is not None:
            spec, payload = completion
            job = self._queue.job(spec, payload, batch_job_id(spec, self.id), batch=self.id)
        return await self._queue.on_batches(lambda batches: batches.create(self.id, job))

    async def add(
        self, spec: JobSpec[P, O_co], payloads: Iterable[P], *, keys: Iterable[str] | None = None
    ) -> list[Receipt[O_co]]:
        """Enqueue jobs of one kind and count them in the batch; returns their receipts in order.

        `keys` name the jobs within the batch, one each: a call that is repeated with the same keys, by any process,
        adds nothing twice. A job that has ended in the batch is not enqueued again, however long ago that was. The
        jobs are enqueued in order: if the call fails, the first ones may have been added, and no later one.

        Raises `BatchClosed` if the batch is sealed or cancelled and does not have all the jobs, `KeyUsedTwice` if a
        key was used in it with another payload, `InvalidPayload` for a payload that is too large or a key that is
        not printable ASCII without spaces, of at most 200 characters together with the id of the batch, and
        `ValueError` if there are not as many keys as payloads. Raises `QueueFull` if there was no room for one of
        the jobs in time; it says how many were added.
        """
        if keys is None:
            jobs = (self._job(spec, payload, secrets.token_urlsafe(12), has_key=False) for payload in payloads)
        else:
            jobs = (
                self._job(spec, payload, key, has_key=True) for payload, key in zip(payloads, keys, strict=True)
            )
        receipts: list[Receipt[O_co]] = []
        with self._queue.sending(spec) as enqueued:
            for group in in_groups(jobs):
                try:
                    states = await self._queue.put(group, self.id)
                except QueueFull as full:
                    raise full.after(len(receipts)) from None
                receipts += [
                    Receipt(self._queue, job.job_id, spec.outcome, state)
                    for job, state in zip(group, states, strict=True)
                ]
            enqueued([receipt.job_id for receipt in receipts])
        return receipts

    def _job(self, spec: JobSpec[P, Any], payload: P, key: str, *, has_key: bool) -> Enqueue:
        return self._queue.job(spec, payload, batch_job_id(spec, self.id, key), batch=self.id, has_key=has_key)

    async def seal(self) -> None:
        """Fix the number of jobs. The batch ends once they have all ended: at once, if they have."""
        await self._queue.on_batches(lambda batches: batches.seal(self.id))

    async def cancel(self) -> BatchProgress:
        """Drop the jobs that wait, and take no more; returns how far the batch is then.

        Jobs that run end normally, and then the completion job runs. A job that would be retried is dropped. The
        outcome of a dropped job is `JobNotFound`. A batch that has ended stays as it is. If there are very many
        jobs, workers remove the last ones after this has returned; none of them starts, and all are counted.
        """
        await self._queue.on_batches(lambda batches: batches.cancel(self.id))
        return await self.progress()

    async def progress(self) -> BatchProgress:
        """Return how far the batch is; up to 30 days after it has ended."""
        return await self._queue.on_batches(lambda batches: batches.progress(self.id))

    async def wait(self, timeout: float) -> BatchProgress:
        """Wait up to `timeout` seconds until the batch has ended, and return how it did. Raises `TimeoutError`.

        The completion job may still run: `completion` has its receipt.
        """
        deadline = time.monotonic() + timeout
        delay = _FIRST_POLL_S
        while True:
            progress = await self.progress()
            if progress.has_ended:
                return progress
            left = deadline - time.monotonic()
            if left <= 0:
                ended = f"{progress.ended} of {progress.total} jobs have ended"
                raise TimeoutError(f"batch {self.id}: still {progress.state} after {timeout:g} s; {ended}")
            await asyncio.sleep(min(delay, left))
            delay = min(_LONGEST_POLL_S, delay * 1.5)

    async def jobs(self) -> AsyncGenerator[BatchJob, None]:
        """Yield the jobs of the batch with their outcomes, in the order in which they were added."""
        await self.progress()
        first = 0
        while page := await self._page(first):
            for job in page:
                yield job
            first += len(page)

    async def _page(self, first: int) -> Sequence[BatchJob]:
        return await self._queue.on_batches(lambda batches: batches.jobs(self.id, first))

    def completion(self, spec: JobSpec[Any, O_co]) -> Receipt[O_co]:
        """Return the receipt of the completion job, of its kind. Redis has no such job until the batch ends."""
        return Receipt(self._queue, batch_job_id(spec, self.id), spec.outcome)
