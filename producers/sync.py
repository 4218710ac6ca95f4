"""The same client for code without an event loop: each call returns when it is done.

with SyncHospitalProducer.connect() as producer:
    receipt = producer.register_hospital(record, actor="dr-ito", reason="licence 4711")
    outcome = receipt.outcome(timeout=10)

Each method is the one of `HospitalProducer`, `Batch` or `Receipt`, run in the event loop of a background thread.
"""

import functools
import itertools
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, TypeVar, Unpack

from pydantic import BaseModel

from producers.all_outcomes import AllOutcomes, OnProgress, WaitError
from producers.batches import Batch
from producers.client import HospitalProducer
from producers.options import EnqueueOptions
from producers.own_loop import OwnLoop
from producers.receipts import Receipt
from producers.room import OnFull
from worker.contract import JobSpec
from worker.errors import QueueFull
from worker.queue.batches import BatchJob
from worker.queue.scripts import EnqueueState

if TYPE_CHECKING:
    from worker.settings import Settings

A = TypeVar("A")
M = TypeVar("M", bound=BaseModel)
O_co = TypeVar("O_co", bound=BaseModel, covariant=True)
T = TypeVar("T")
P = ParamSpec("P")

# Payloads that are taken from the caller's iterator, and receipts that are kept for it, at a time.
_TOGETHER = 500


class _Blocking(Generic[A]):
    """What does with each call what `asynchronous` does, in the event loop of `loop`."""

    __slots__ = ("asynchronous", "loop")

    def __init__(self, loop: OwnLoop, asynchronous: A) -> None:
        self.loop = loop
        self.asynchronous = asynchronous


def _blocking(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[_Blocking[A], P], T]:
    @functools.wraps(method)
    def call(self: _Blocking[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.loop.run(lambda: method(self.asynchronous, *args, **kwargs))

    return call


class SyncReceipt(_Blocking[Receipt[O_co]]):
    """Proof that Redis has taken a job: a `Receipt` whose methods block."""

    # A caller of `enqueue_many` may keep very many receipts.
    __slots__ = ()

    @property
    def job_id(self) -> str:
        """The id of the job."""
        return self.asynchronous.job_id

    @property
    def state(self) -> EnqueueState | None:
        """What Redis knew of the job when it was enqueued."""
        return self.asynchronous.state

    def outcome(self, timeout: float) -> O_co:
        """Wait up to `timeout` seconds for the job to end, and return its outcome; raises as `Receipt.outcome`."""
        return self.loop.run(lambda: self.asynchronous.outcome(timeout))

    def abort(self) -> None:
        """Ask workers not to run the job, or to cancel it if it runs. It may have ended before they notice."""
        self.loop.run(self.asynchronous.abort)


def _enqueuing(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, Receipt[O_co]]],
) -> Callable[Concatenate[_Blocking[A], P], SyncReceipt[O_co]]:
    enqueue = _blocking(method)

    @functools.wraps(method)
    def call(self: _Blocking[A], /, *args: P.args, **kwargs: P.kwargs) -> SyncReceipt[O_co]:
        return SyncReceipt(self.loop, enqueue(self, *args, **kwargs))

    return call


class SyncBatch(_Blocking[Batch]):
    """One batch: a `Batch` whose methods block; made by `SyncHospitalProducer.batch`."""

    @property
    def id(self) -> str:
        """The id of the batch, by which any process can use it."""
        return self.asynchronous.id

    create = _blocking(Batch.create)
    seal = _blocking(Batch.seal)
    cancel = _blocking(Batch.cancel)
    progress = _blocking(Batch.progress)
    wait = _blocking(Batch.wait)

    def add(
        self, spec: JobSpec[M, O_co], payloads: Iterable[M], *, keys: Iterable[str] | None = None
    ) -> list[SyncReceipt[O_co]]:
        """Enqueue jobs of one kind and count them in the batch, as `Batch.add` does."""
        # Iterators belong to the caller's thread.
        given, names = list(payloads), None if keys is None else list(keys)
        receipts = self.loop.run(lambda: self.asynchronous.add(spec, given, keys=names))
        return [SyncReceipt(self.loop, receipt) for receipt in receipts]

    def jobs(self) -> Iterator[BatchJob]:
        """Yield the jobs of the batch with their outcomes, in the order in which they were added."""
        return _iterate(self.loop, self.asynchronous.jobs(), _TOGETHER)

    def completion(self, spec: JobSpec[Any, O_co]) -> SyncReceipt[O_co]:
        """Return the receipt of the completion job, of its kind. Redis has no such job until the batch ends."""
        return SyncReceipt(self.loop, self.asynchronous.completion(spec))


class SyncHospitalProducer(_Blocking[HospitalProducer]):
    """Enqueues jobs. Safe to share between threads; create one per process with `connect`.

    It may be created before a fork and used after it: each process makes its own background thread and connections
    at its first call. It closes itself when nothing refers to it or its receipts, and at the interpreter's exit.
    """

    def __init__(self, producer: HospitalProducer) -> None:
        super().__init__(OwnLoop(producer.close), producer)

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
        """Return a producer, as `HospitalProducer.connect` does. It need not be used with `with`.

        `on_full` is called in the thread of the producer's event loop.
        """
        return cls(
            HospitalProducer.connect(
                settings, patience=patience, lazy=lazy, patience_when_full=patience_when_full, on_full=on_full
            )
        )

    def __enter__(self) -> Self:
        try:
            self.loop.run(self.asynchronous.__aenter__)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close this process's connections. The next call opens new ones."""
        self.loop.close()

    ingest_hospital = _enqueuing(HospitalProducer.ingest_hospital)
    ingest_hospitals = _enqueuing(HospitalProducer.ingest_hospitals)
    correct_hospital = _enqueuing(HospitalProducer.correct_hospital)
    discard_hospital = _enqueuing(HospitalProducer.discard_hospital)
    register_hospital = _enqueuing(HospitalProducer.register_hospital)
    amend_hospital = _enqueuing(HospitalProducer.amend_hospital)
    withdraw_hospital = _enqueuing(HospitalProducer.withdraw_hospital)
    abort = _blocking(HospitalProducer.abort)
    record_action = _blocking(HospitalProducer.record_action)
    status = _blocking(HospitalProducer.status)
    explain = _blocking(HospitalProducer.explain)

    def enqueue(self, spec: JobSpec[M, O_co], payload: M, **options: Unpack[EnqueueOptions]) -> SyncReceipt[O_co]:
        """Enqueue one job, as `HospitalProducer.enqueue` does."""
        return SyncReceipt(self.loop, self.loop.run(lambda: self.asynchronous.enqueue(spec, payload, **options)))

    def enqueue_many(self, spec: JobSpec[M, O_co], payloads: Iterable[M]) -> list[SyncReceipt[O_co]]:
        """Enqueue many jobs of one kind, in groups. Return their receipts in order."""
        return list(self.enqueue_stream(spec, payloads))

    def enqueue_stream(self, spec: JobSpec[M, O_co], payloads: Iterable[M]) -> Iterator[SyncReceipt[O_co]]:
        """Enqueue any number of jobs of one kind, and yield their receipts in order, in constant memory.

        If this raises, the jobs of the receipts that it has yielded are enqueued, and up to 500 more may be. Only
        `QueueFull` says exactly how many were.
        """
        # The payloads are taken in the caller's thread, to which a database's iterator may belong.
        source = iter(payloads)
        enqueued = 0
        while some := list(itertools.islice(source, _TOGETHER)):
            try:
                receipts = self.loop.run(functools.partial(self.asynchronous.enqueue_many, spec, some))
            except QueueFull as full:
                raise full.after(enqueued) from None
            enqueued += len(receipts)
            for receipt in receipts:
                yield SyncReceipt(self.loop, receipt)

    def batch(self, batch_id: str | None = None) -> SyncBatch:
        """Return the batch of that id, as `HospitalProducer.batch` does."""
        return SyncBatch(self.loop, self.asynchronous.batch(batch_id))

    def receipt(self, spec: JobSpec[M, O_co], job_id: str) -> SyncReceipt[O_co]:
        """Return the receipt of a job that was enqueued earlier, perhaps by another process."""
        return SyncReceipt(self.loop, self.asynchronous.receipt(spec, job_id))

    def wait_all(
        self, receipts: Sequence[SyncReceipt[O_co]], *, timeout: float, on_progress: OnProgress | None = None
    ) -> list[O_co | WaitError]:
        """Wait for all of these jobs, as `HospitalProducer.wait_all` does; calls `on_progress` in this thread."""
        waiting = AllOutcomes([receipt.asynchronous for receipt in receipts], timeout)
        for ended in _iterate(self.loop, waiting.progress(), 1):
            if on_progress is not None:
                on_progress(ended, len(receipts))
        return waiting.answers


def _iterate(loop: OwnLoop, source: AsyncGenerator[T, None], together: int) -> Iterator[T]:
    """Yield what an asynchronous generator yields, which runs in `loop` and is asked for `together` at a time."""

    async def some() -> list[T]:
        found: list[T] = []
        async for one in source:
            found.append(one)
            if len(found) == together:
                break
        return found

    try:
        while found := loop.run(some):
            yield from found
    finally:
        loop.run(source.aclose)
