import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Self

import pytest
from pydantic import BaseModel

from producers import cli
from producers.commands import support
from tests.unit.producers.scripted_imports import ScriptedBatch, ScriptedImports
from worker.contract import (
    ChunkOutcome,
    HospitalRecord,
    IngestHospitals,
    JobSpec,
    RegisterHospital,
    RegistrationOutcome,
)
from worker.contract.actions import Action
from worker.contract.imports import PreviewHospitals, PreviewOutcome, StoredElsewhere
from worker.contract.likeness import other_identities

Run = Callable[..., tuple[int, str, str]]


class ScriptedReceipt:
    def __init__(self, producer: "ScriptedProducer", job_id: str, payload: Any, state: str) -> None:
        self.job_id = job_id
        self.state = state
        self._producer = producer
        self._payload = payload

    async def outcome(self, timeout: float) -> BaseModel:
        try:
            await asyncio.sleep(0)
            if self.job_id in self._producer.registrations:
                return self._producer.registrations[self.job_id]
            outcome = await self._producer.answer(self._payload)
            if isinstance(outcome, RegistrationOutcome):
                self._producer.registrations[self.job_id] = outcome
            return outcome
        finally:
            self._producer.in_flight -= 1

    async def abort(self) -> None:
        self._producer.aborted.append(self._payload)


class ScriptedProducer:
    """A test double of `HospitalProducer`. A test may replace `answer`; `enqueue` raises `refuse` if it is set."""

    def __init__(self) -> None:
        self.payloads: list[Any] = []
        self.job_ids: list[str] = []
        self.registrations: dict[str, BaseModel] = {}
        self.logged_at: datetime | None = None
        self.aborted: list[Any] = []
        self.actions: list[Action] = []
        self.in_flight = self.most_in_flight = 0
        self.answer: Callable[[Any], Awaitable[BaseModel]] = self.successful_answer
        self.refuse: Exception | None = None
        self.job_status: Any = None
        self._known: set[str] = set()
        self.imports = ScriptedImports()

    def batch(self, batch_id: str) -> ScriptedBatch:
        return self.imports.batch(batch_id, self)

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
        job_id = f"{spec.name}:{idempotency_key or len(self.payloads) + 1}"
        state = "done" if job_id in self.job_ids else "new"
        self.job_ids.append(job_id)
        self.payloads.append(payload)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        return ScriptedReceipt(self, job_id, payload, state)

    async def status(self, job_id: str) -> Any:
        return self.job_status

    async def record_action(self, action: Action) -> None:
        self.actions.append(action)

    async def successful_answer(self, payload: Any) -> BaseModel:
        match payload:
            case IngestHospitals(records=records):
                return ChunkOutcome(statuses=[self._seen(HospitalRecord.model_validate(it)) for it in records])
            case RegisterHospital(record=record):
                new = self._seen(record) == "created"
                return RegistrationOutcome(
                    hospital_id=record.hospital_id,
                    status="registered" if new else "conflict",
                    log_id="log",
                    logged_at=self.logged_at,
                )
            case PreviewHospitals(records=records):
                valid = [HospitalRecord.model_validate(it) for it in records]
                new = [it.hospital_id not in self._known for it in valid]
                return PreviewOutcome(
                    statuses=["created" if is_new else "same" for is_new in new],
                    stored=len(valid) - sum(new),
                    stored_elsewhere=[
                        StoredElsewhere(index=index, hospital_id=other)
                        for index, it in enumerate(valid)
                        if new[index]
                        for other in other_identities(vars(it))
                        if other in self._known
                    ],
                )
        found = self.imports.answer(payload)
        if found is not None:
            return found
        raise AssertionError(payload)

    def _seen(self, record: HospitalRecord) -> Any:
        known = record.hospital_id in self._known
        self._known.add(record.hospital_id)
        return "same" if known else "created"


@pytest.fixture
def producer() -> ScriptedProducer:
    return ScriptedProducer()


@pytest.fixture
def run(producer: ScriptedProducer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setattr(support, "connect", lambda *_: producer)

    def run_command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hospital-producer", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        # The command leaves it ignored, because its process would end.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        shown = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, shown.out, shown.err

    return run_command
