"""Which queue a job goes to if the jobs of its source have a queue of their own (`SOURCE_QUEUES`)."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from worker.contract.identity import source_in_identity
from worker.contract.jobs import DEFAULT_QUEUE, JobSpec
from worker.contract.payloads import (
    AmendHospital,
    CorrectHospital,
    DiscardHospital,
    IngestHospital,
    IngestHospitals,
    RegisterHospital,
    WithdrawHospital,
)


def queue_of(spec: JobSpec[Any, Any], source: str | None, source_queues: Mapping[str, str]) -> str:
    """Return the queue of a job about this source: that of the source if it has one, else that of its kind."""
    return source_queues.get(source, spec.queue) if source is not None else spec.queue


def source_of(payload: BaseModel) -> str | None:
    """Return the source of the hospital that a job is about; of a chunk, that of its first record.

    `None` if that hospital has no source, or the job is about none.
    """
    match payload:
        case IngestHospital() | RegisterHospital():
            return payload.record.source
        case IngestHospitals():
            return _of_record(payload.records[0]) if payload.records else None
        case CorrectHospital() | DiscardHospital() | AmendHospital() | WithdrawHospital():
            return source_in_identity(payload.hospital_id)
        case _:
            return None


def queues_in_turn(source_queues: Mapping[str, str]) -> frozenset[str]:
    """Return the queues of equal standing: those of the sources, and the one that other sources share."""
    return frozenset((DEFAULT_QUEUE, *source_queues.values()) if source_queues else ())


def _of_record(record: Any) -> str | None:
    # A chunk has models, or the plain values that a file was read into.
    source = record.get("source") if isinstance(record, Mapping) else getattr(record, "source", None)
    return source if isinstance(source, str) else None
