"""The client for other services: typed methods that enqueue jobs and return receipts.

async with HospitalProducer.connect() as producer:
    receipt = await producer.register_hospital(record, actor="dr-ito", reason="licence 4711")
    outcome = await receipt.outcome(timeout=10)
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from pydantic import BaseModel

from producers.all_outcomes import AllOutcomes, OnProgress, WaitError
from producers.groups import groups_of
from producers.options import EnqueueOptions, read_options
from producers.queue import QueueClient
from producers.receipts import JobStatus, Receipt
from producers.room import OnFull
from worker import contract
from worker.contract import HospitalChanges, HospitalRecord, JobSpec, OnExisting
from worker.contract.validation import MAX_PROBLEMS, parse
from worker.errors import InvalidPayload, PayloadProblem, QueueFull
from worker.queue.scripts import Enqueue, EnqueueState

if TYPE_CHECKING:
    from producers.batches import Batch
    from worker.contract.actions import Action
    from worker.monitoring.explanation import Explanation
    from worker.settings import Settings

P = TypeVar("P", bound=BaseModel)
O_co = TypeVar("O_co", bound=BaseModel, covariant=True)

_GROUPS_IN_FLIGHT = 2


class HospitalProducer:
    """Enqueues jobs. Safe to share between tasks; create one per process with `connect`.

    It may be used in several event loops one after the other, as `asyncio.run` makes them, and after a fork.

    A call returns once Redis has taken the job. If Redis is unavailable, the call retries for `patience` seconds
    with the same job id, so the job is never enqueued twice. Each method that enqueues a job takes the options of
    `EnqueueOptions`.
    """

    def __init__(self, queue: QueueClient) -> None:
        self._queue = queue

    @classmethod
    def connect(
        cls,
        settings: "Settings | None" = None,
        *,
        patience: float = 30,
        lazy: bool = False,
        patience_when_full: float | None = None,
        on_full: OnFull | None = None,
    ) -> Self:
        """Return a producer, to be used with `async with`. By default, settings come from the environment.

        Entering raises `OutageError` at once if Redis is unavailable. Entering a `lazy` producer sends nothing: its
        first call makes sure that Redis can be used, and waits for it for `patience` seconds.

        A call that finds a queue full (`QUEUE_BOUNDS`) waits for room for `patience_when_full` seconds, by default
        as long as for Redis, then raises `QueueFull`; with 0 it does so at once, with `math.inf` never. `on_full`
        is called with that error when a call begins to wait.
        """
        # Takes a fifth of the import of this module, and some programs make their settings themselves.
        from worker.settings import load_settings  # noqa: PLC0415

        return cls(
            QueueClient(
                settings or load_settings(),
                patience,
                lazy=lazy,
                patience_when_full=patience_when_full,
                on_full=on_full,
            )
        )

    async def __aenter__(self) -> Self:
        try:
            await self._queue.open()
        except BaseException:
            await self._queue.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections, for a producer that is not used with `async with`."""
        await self._queue.close()

    # ---- one method per job ---------------------------------------------------------------------------

    async def ingest_hospital(
        self, record: HospitalRecord, *, on_existing: OnExisting = "keep", **options: Unpack[EnqueueOptions]
    ) -> Receipt[contract.IngestOutcome]:
        """Ingest one record of a feed."""
        payload = parse(contract.IngestHospital, {"record": record, "on_existing": on_existing})
        return await self.enqueue(contract.INGEST_HOSPITAL, payload, **options)

    async def ingest_hospitals(
        self,
        records: Sequence[HospitalRecord | dict[str, Any]],
        *,
        on_existing: OnExisting = "keep",
        **options: Unpack[EnqueueOptions],
    ) -> Receipt[contract.ChunkOutcome]:
        """Ingest up to 1,000 records, through the bulk queue.

        Raises `InvalidPayload` with the problems of every invalid record; then no record is enqueued.
        """
        payload = parse(contract.IngestHospitals, {"records": _checked(records), "on_existing": on_existing})
        return await self.enqueue(contract.INGEST_HOSPITALS, payload, **options)

    async def correct_hospital(
        self, hospital_id: str, changes: HospitalChanges, *, revision: int, **options: Unpack[EnqueueOptions]
    ) -> Receipt[contract.CorrectionOutcome]:
        """Change a partial hospital that still has `revision`."""
        payload = parse(
            contract.CorrectHospital, {"hospital_id": hospital_id, "changes": changes, "revision": revision}
        )
        return await self.enqueue(contract.CORRECT_HOSPITAL, payload, **options)

    async def discard_hospital(
        self, hospital_id: str, *, revision: int, **options: Unpack[EnqueueOptions]
    ) -> Receipt[contract.DiscardOutcome]:
        """Remove a partial hospital that still has `revision`."""
        payload = parse(contract.DiscardHospital, {"hospital_id": hospital_id, "revision": revision})
        return await self.enqueue(contract.DISCARD_HOSPITAL, payload, **options)

    async def register_hospital(
        self, record: HospitalRecord, *, actor: str, reason: str, **options: Unpack[EnqueueOptions]
    ) -> Receipt[contract.RegistrationOutcome]:
        """Register a hospital, with an audit log entry."""
        payload = parse(contract.RegisterHospital, {"record": record, "actor": actor, "reason": reason})
        return await self.enqueue(contract.REGISTER_HOSPITAL, payload, **options)

    async def amend_hospital(
        self,
        hospital_id: str,
        changes: HospitalChanges,
        *,
        actor: str,
        reason: str,
        revision: int | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> Receipt[contract.AmendmentOutcome]:
        """Change a registered hospital, with an audit log entry."""
        payload = parse(
            contract.AmendHospital,
            {
                "hospital_id": hospital_id,
                "changes": changes,
                "actor": actor,
                "reason": reason,
                "revision": revision,
            },
        )
        return await self.enqueue(contract.AMEND_HOSPITAL, payload, **options)

    async def withdraw_hospital(
        self,
        hospital_id: str,
        *,
        actor: str,
        reason: str,
        revision: int | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> Receipt[contract.WithdrawalOutcome]:
        """Remove a registered hospital, with an audit log entry."""
        payload = parse(
            contract.WithdrawHospital,
            {"hospital_id": hospital_id, "actor": actor, "reason": reason, "revision": revision},
        )
        return await self.enqueue(contract.WITHDRAW_HOSPITAL, payload, **options)

    # ---- any job --------------------------------------------------------------------------------------

    async def enqueue(self, spec: JobSpec[P, O_co], payload: P, **options: Unpack[EnqueueOptions]) -> Receipt[O_co]:
        """Enqueue one job.

        Raises `InvalidPayload` if the payload or an option breaks the contract, and `KeyUsedTwice` if the key was
        used with another payload; then nothing was enqueued, as with `QueueFull`. Raises `OutageError` if Redis
        does not confirm the job. Redis may have taken it even so, and calling again with the same key is safe.
        """
        key, delay_s = read_options(**options)
        job_id = contract.new_job_id(spec, key)
        with self._queue.sending(spec, payload) as enqueued:
            job = self._queue.job(spec, payload, job_id, delay_s, has_key=key is not None)
            (state,) = await self._queue.put([job])
            enqueued([job_id])
        return Receipt(self._queue, job.job_id, spec.outcome, state)

    def batch(self, batch_id: str | None = None) -> "Batch":
        """Return the batch of that id, which another process may have created; by default a new id.

        Sends nothing. Raises `InvalidPayload` for an id that is not 1 to 100 ASCII letters, digits, `.`, `_`, `-`.
        """
        # As in `QueueClient.on_batches`.
        from producers.batches import Batch  # noqa: PLC0415

        return Batch(self._queue, batch_id)

    async def record_action(self, action: "Action") -> None:
        """Keep the record of what an operator does, as `hospital-worker actions list` shows it; call it before.

        Raises `OutageError` if it cannot be kept, and `ConfigurationError` if this Redis user may not.
        """
        await self._queue.record(action)

    async def enqueue_many(self, spec: JobSpec[P, O_co], payloads: Sequence[P]) -> list[Receipt[O_co]]:
        """Enqueue many jobs of one kind, in groups. Return their receipts in order."""
        with self._queue.sending(spec) as enqueued:
            receipts = [receipt async for receipt in self.enqueue_stream(spec, payloads)]
            enqueued([receipt.job_id for receipt in receipts])
        return receipts

    async def enqueue_stream(
        self, spec: JobSpec[P, O_co], payloads: Iterable[P] | AsyncIterable[P]
    ) -> AsyncGenerator[Receipt[O_co], None]:
        """Enqueue any number of jobs of one kind, and yield their receipts in order, in constant memory.

        Jobs are sent in groups of 250, the last ones when the payloads end. If this raises, the jobs whose receipts
        it has yielded are enqueued, and up to two groups more may be. Only `QueueFull` says exactly how many were.
        """
        sending: deque[tuple[list[Enqueue], asyncio.Task[list[EnqueueState]]]] = deque()
        # Of two groups that wait for room, the second could get it: then nobody knew which jobs were enqueued.
        in_flight = 1 if self._queue.is_bounded(spec) else _GROUPS_IN_FLIGHT
        enqueued = 0

        async def receipts() -> list[Receipt[O_co]]:
            nonlocal enqueued
            group, sent = sending[0]
            try:
                states = await sent
            except QueueFull as full:
                raise full.after(enqueued) from None
            sending.popleft()
            enqueued += len(group)
            return [
                Receipt(self._queue, job.job_id, spec.outcome, state)
                for job, state in zip(group, states, strict=True)
            ]

        def job(payload: P) -> Enqueue:
            return self._queue.job(spec, payload, contract.new_job_id(spec))

        try:
            async for group in groups_of(job, payloads):
                sending.append((group, asyncio.create_task(self._queue.put(group))))
                # Let the task start, so that this group is on its way while the next one is made.
                await asyncio.sleep(0)
                if len(sending) == in_flight:
                    for receipt in await receipts():
                        yield receipt
            while sending:
                for receipt in await receipts():
                    yield receipt
        finally:
            for _, sent in sending:
                sent.cancel()
            await asyncio.gather(*(sent for _, sent in sending), return_exceptions=True)

    def receipt(self, spec: JobSpec[P, O_co], job_id: str) -> Receipt[O_co]:
        """Return the receipt of a job that was enqueued earlier, perhaps by another process."""
        return Receipt(self._queue, job_id, spec.outcome)

    async def wait_all(
        self, receipts: Sequence[Receipt[O_co]], *, timeout: float, on_progress: OnProgress | None = None
    ) -> list[O_co | WaitError]:
        """Wait up to `timeout` seconds for all of these jobs; returns for each, in order, its outcome.

        In its place is the error that `Receipt.outcome` would raise. `on_progress` is called a few times a second.
        """
        waiting = AllOutcomes(receipts, timeout)
        async for ended in waiting.progress():
            if on_progress is not None:
                on_progress(ended, len(receipts))
        return waiting.answers

    async def abort(self, job_id: str) -> None:
        """Ask workers not to run a job, or to cancel it if it runs. It may have ended before they notice."""
        await self._queue.abort(job_id)

    async def status(self, job_id: str, *, wait: float = 0) -> JobStatus:
        """Return the status of a job, as soon as it has ended, or after `wait` seconds."""
        if wait > 0:
            view = await self._queue.end_of(job_id, wait)
        else:
            view = await self._queue.view(job_id, self._queue.patience)
        message = view.result or await self._queue.envelope(job_id)
        enqueued_at = datetime.fromtimestamp(message["et"] / 1000, UTC) if message else None
        if view.dead_letter is not None:
            error = f"{view.dead_letter.failure.type}: {view.dead_letter.failure.message}"
            return JobStatus(job_id, view.state, view.tries, error=error, enqueued_at=view.dead_letter.enqueued_at)
        if view.state == "failed" and view.result is not None:
            return JobStatus(job_id, view.state, view.tries, error=str(view.result["r"]), enqueued_at=enqueued_at)
        outcome = view.result["r"] if view.result else None
        return JobStatus(job_id, view.state, view.tries, outcome=outcome, enqueued_at=enqueued_at)

    async def explain(self, job_id: str) -> "Explanation":
        """Return why a job is in its state, and what would change it, in words, as `hospital-worker jobs explain`.

        The words are for people, and may change; the state is of those that docs/operations.md lists. It is what
        Redis knows: not how jobs ended of which only the history in MongoDB is left, nor where a job in the outbox
        stands. Raises `OutageError` if Redis does not answer, and `ConfigurationError` if its user may not read
        that.
        """
        # As in `QueueClient.facts`.
        from worker.monitoring.explain import explain  # noqa: PLC0415

        return explain(await self._queue.facts(job_id))


def _checked(records: Sequence[HospitalRecord | dict[str, Any]]) -> list[HospitalRecord]:
    # The worker would reject invalid records one by one. Validating here reports a mistake to the caller, who can
    # fix it, and does so before JSON turns values that it cannot represent (NaN) into null.
    checked: list[HospitalRecord] = []
    problems: list[PayloadProblem] = []
    for index, record in enumerate(records):
        try:
            checked.append(parse(HospitalRecord, record, within=f"records[{index}]"))
        except InvalidPayload as error:
            problems += error.problems
    unlisted = len(problems) - MAX_PROBLEMS
    if unlisted > 0:
        problems[MAX_PROBLEMS:] = [PayloadProblem("records", f"{unlisted} more problems")]
    if problems:
        raise InvalidPayload(contract.IngestHospitals.__name__, problems)
    return checked
