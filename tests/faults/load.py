"""A steady stream of jobs through the real producer; each accepted job is recorded in the ledger."""

import asyncio
import itertools
import random
from collections import Counter
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from producers.client import HospitalProducer
from producers.receipts import Receipt
from tests.faults.ledger import Kind, Ledger
from worker.contract import HospitalChanges, HospitalRecord
from worker.errors import OutageError
from worker.queue.scripts import EnqueueState

_numbers = itertools.count(1)
_CANARY = "canary-payload-5f1d"
_ACTOR, _REASON = "faults", "the suite"
# The contract allows no more. A soak of half an hour has more jobs.
_MOST_BEDS = 100_000


def record(number: int) -> HospitalRecord:
    """Return a hospital that is unique to `number`; its phone is a canary that must not appear in any log."""
    return HospitalRecord(
        hospital_name=f"Hospital {number}", source="faults", external_id=f"h{number}", phone=f"{_CANARY}-{number}"
    )


class Load:
    """Enqueues about `per_second` jobs per second from the start of `async with load` to its end.

    Three in ten are registrations, one in ten amends one of `amended` hospitals, the rest are ingests. A call that
    raises an error is recorded as uncertain. `states` counts the states that accepted calls returned; each call
    enqueues a new job, so all are `new`. `began` and `ended` are the times at which the stream began and ended.
    """

    def __init__(
        self,
        producer: HospitalProducer,
        ledger: Ledger,
        rng: random.Random,
        *,
        per_second: float = 100,
        amended: int = 10,
    ) -> None:
        self._producer = producer
        self._ledger = ledger
        self._rng = rng
        self._per_second = per_second
        self._amended = amended
        self._registered: list[str] = []
        self._calls: set[asyncio.Task[None]] = set()
        self._stream: asyncio.Task[None] | None = None
        self.refused = 0
        self.states: Counter[EnqueueState | None] = Counter()
        self.began = self.ended = datetime.now(UTC)

    async def put(self, kind: Kind) -> None:
        """Enqueue one job for a new hospital, or an amendment; record whether it was accepted."""
        number = next(_numbers)
        hospital_id = self._rng.choice(self._registered) if kind == "amend" else f"faults:h{number}"
        try:
            receipt = await self._enqueue(kind, hospital_id, number, f"{kind}-{number}")
        except OutageError:
            self.refused += 1
            self._ledger.uncertain(hospital_id)
        else:
            self._ledger.accept(kind, receipt.job_id, hospital_id)
            self.states[receipt.state] += 1

    async def _enqueue(self, kind: Kind, hospital_id: str, number: int, key: str) -> Receipt[Any]:
        producer = self._producer
        if kind == "ingest":
            return await producer.ingest_hospital(record(number), idempotency_key=key)
        if kind == "register":
            return await producer.register_hospital(
                record(number), actor=_ACTOR, reason=_REASON, idempotency_key=key
            )
        changes = HospitalChanges(beds=number % _MOST_BEDS)
        return await producer.amend_hospital(
            hospital_id, changes, actor=_ACTOR, reason=_REASON, idempotency_key=key
        )

    async def put_many(self, kind: Kind, count: int) -> None:
        """Enqueue many jobs of one kind concurrently."""
        await asyncio.gather(*(self.put(kind) for _ in range(count)))

    async def prepare(self) -> None:
        """Register the hospitals that will be amended; a worker must be running."""
        for _ in range(self._amended):
            number = next(_numbers)
            receipt = await self._producer.register_hospital(record(number), actor=_ACTOR, reason=_REASON)
            self._ledger.accept("register", receipt.job_id, f"faults:h{number}")
            await receipt.outcome(timeout=30)
            self._registered.append(f"faults:h{number}")

    async def __aenter__(self) -> Self:
        await self.prepare()
        self.began = datetime.now(UTC)
        self._stream = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended = datetime.now(UTC)
        assert self._stream is not None
        self._stream.cancel()
        await asyncio.gather(self._stream, return_exceptions=True)
        # Calls in progress retry until Redis has answered, or raise an error.
        await asyncio.gather(*self._calls)

    async def _run(self) -> None:
        kinds: list[Kind] = ["ingest", "register", "amend"]
        while True:
            kind = self._rng.choices(kinds, weights=[6, 3, 1])[0]
            if kind == "amend" and not self._registered:
                continue
            call = asyncio.create_task(self.put(kind))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            await asyncio.sleep(self._rng.expovariate(self._per_second))
