"""Enqueues jobs in a MongoDB transaction of the caller's: with the transaction they are committed or aborted.

async with HospitalOutbox.connect() as outbox, await client.start_session() as session:
    async with session.start_transaction():
        await licences.insert_one(licence, session=session)
        receipt = await outbox.register_hospital(session, record, actor="dr-ito", reason="licence 4711")
    outcome = await receipt.outcome(timeout=10)

A worker moves what is committed to its queue: see `worker.engine.outbox_relay`.
"""

import functools
import secrets
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar, Unpack

from pydantic import BaseModel

from producers.client import HospitalProducer
from producers.options import EnqueueOptions, read_options
from producers.queue import QueueClient
from producers.receipts import Receipt
from worker import contract
from worker.contract import JobSpec
from worker.contract.outbox import OUTBOX_MARK
from worker.errors import InvalidPayload, PayloadProblem
from worker.mongo.outbox_writes import Session, add_to_outbox

if TYPE_CHECKING:
    from worker.settings import Settings

M = TypeVar("M", bound=BaseModel)
O_co = TypeVar("O_co", bound=BaseModel, covariant=True)
P = ParamSpec("P")


class _Transaction(HospitalProducer):
    """A producer whose jobs go into the outbox, in one transaction, and not to Redis."""

    def __init__(self, queue: QueueClient, database: str, session: Session) -> None:
        super().__init__(queue)
        self._database = database
        self._session = session

    async def enqueue(self, spec: JobSpec[M, O_co], payload: M, **options: Unpack[EnqueueOptions]) -> Receipt[O_co]:
        """Add one job to the outbox."""
        key, delay_s = read_options(**options)
        if key is not None:
            reason = "the outbox takes none: a job of a committed transaction is enqueued once"
            raise InvalidPayload("options", [PayloadProblem("idempotency_key", reason)])
        # As with a key of the caller's, all that a worker keeps of what the job did finds it again, should it be
        # delivered once more.
        job_id = contract.new_job_id(spec, f"{OUTBOX_MARK}{secrets.token_urlsafe(12)}")
        with self._queue.sending(spec, payload) as enqueued:
            job = self._queue.job(spec, payload, job_id, delay_s, has_key=True)
            await add_to_outbox(
                self._session,
                self._database,
                _hospital_of(payload),
                job_id,
                job.payload,
                delay_ms=max(0, job.delay_ms),
            )
            enqueued([job_id])
        return Receipt(self._queue, job_id, spec.outcome, comes_later=True)


def _hospital_of(payload: Any) -> str:
    if isinstance(payload, contract.IngestHospital | contract.RegisterHospital):
        return payload.record.hospital_id
    hospital_id: str = payload.hospital_id
    return hospital_id


def _in_transaction(
    method: Callable[Concatenate[HospitalProducer, P], Coroutine[Any, Any, Receipt[O_co]]],
) -> Callable[Concatenate["HospitalOutbox", Session, P], Coroutine[Any, Any, Receipt[O_co]]]:
    @functools.wraps(method)
    async def call(self: "HospitalOutbox", session: Session, /, *args: P.args, **kwargs: P.kwargs) -> Receipt[O_co]:
        return await method(_Transaction(self._queue, self._database, session), *args, **kwargs)

    return call


class HospitalOutbox:
    """Adds jobs to the outbox. Safe to share between tasks; create one per process with `connect`.

    Each method takes a session with a transaction, of Motor or of PyMongo's asynchronous client, and then what the
    method of the same name of `HospitalProducer` takes, except an `idempotency_key`. Only the outcome of a receipt
    asks Redis. Jobs of one hospital run in the order in which their transactions were committed, each when the one
    before has ended.

    Errors of the driver go to the caller, so that `with_transaction` runs a transaction again that met a conflict:
    two transactions at once that add a job of one hospital do.
    """

    def __init__(self, queue: QueueClient, database: str) -> None:
        self._queue = queue
        self._database = database

    @classmethod
    def connect(cls, settings: "Settings | None" = None, *, patience: float = 30) -> Self:
        """Return an outbox, to be used with `async with`. By default, settings come from the environment.

        It is in `MONGODB_DATABASE`, and sessions are to be of the same deployment. Only waiting for an outcome
        needs Redis, and waits for it for `patience` seconds.
        """
        # As in `HospitalProducer.connect`.
        from worker.settings import load_settings  # noqa: PLC0415

        settings = settings or load_settings()
        return cls(QueueClient(settings, patience, lazy=True), settings.mongodb_database)

    async def __aenter__(self) -> Self:
        await self._queue.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections to Redis, for an outbox that is not used with `async with`."""
        await self._queue.close()

    ingest_hospital = _in_transaction(HospitalProducer.ingest_hospital)
    correct_hospital = _in_transaction(HospitalProducer.correct_hospital)
    discard_hospital = _in_transaction(HospitalProducer.discard_hospital)
    register_hospital = _in_transaction(HospitalProducer.register_hospital)
    amend_hospital = _in_transaction(HospitalProducer.amend_hospital)
    withdraw_hospital = _in_transaction(HospitalProducer.withdraw_hospital)
