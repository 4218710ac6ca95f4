import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self

import pytest
from pydantic import BaseModel

from worker.contract import (
    ChunkOutcome,
    HospitalRecord,
    IngestHospitals,
    JobSpec,
    RegisterHospital,
    RegistrationOutcome,
)


class ScriptedReceipt:
    def __init__(self, producer: "ScriptedProducer", job_id: str, payload: Any) -> None:
        self.job_id = job_id
        self._producer = producer
        self._payload = payload

    async def outcome(self, timeout: float) -> BaseModel:
        try:
            await asyncio.sleep(0)
            return await self._producer.answer(self._payload)
        finally:
            self._producer.in_flight -= 1


class ScriptedProducer:
    """A test double of `HospitalProducer`. A test may replace `answer`; `enqueue` raises `refuse` if it is set."""

    def __init__(self) -> None:
        self.payloads: list[Any] = []
        self.in_flight = self.most_in_flight = 0
        self.answer: Callable[[Any], Awaitable[BaseModel]] = self.successful_answer
        self.refuse: Exception | None = None
        self.job_status: Any = None
        self._known: set[str] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def enqueue(
        self, spec: JobSpec[Any, Any], payload: Any, *, idempotency_key: str | None = None
    ) -> ScriptedReceipt:
        if self.refuse is not None:
            raise self.refuse
        assert type(payload) is spec.payload
        self.payloads.append(payload)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        return ScriptedReceipt(self, f"{spec.name}:{idempotency_key or len(self.payloads)}", payload)

    async def status(self, job_id: str) -> Any:
        return self.job_status

    async def successful_answer(self, payload: Any) -> BaseModel:
        match payload:
            case IngestHospitals(records=records):
                return ChunkOutcome(statuses=[self._seen(HospitalRecord.model_validate(it)) for it in records])
            case RegisterHospital(record=record):
                new = self._seen(record) == "created"
                return RegistrationOutcome(
                    hospital_id=record.hospital_id, status="registered" if new else "conflict", log_id="log"
                )
        raise AssertionError(payload)

    def _seen(self, record: HospitalRecord) -> Any:
        known = record.hospital_id in self._known
        self._known.add(record.hospital_id)
        return "unchanged" if known else "created"


@pytest.fixture
def producer() -> ScriptedProducer:
    return ScriptedProducer()
