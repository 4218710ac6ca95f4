"""Every call that enqueues jobs has one span, and all of its jobs carry the context."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from arq.connections import ArqRedis
from opentelemetry import trace

from producers.client import HospitalProducer
from producers.receipts import Receipt
from tests.support.spans import KeptSpans, attributes_of, span_id, trace_id
from worker.codec import Codec
from worker.contract import INGEST_HOSPITAL, HospitalRecord, IngestHospital
from worker.contract.trace_context import read_trace_context
from worker.queue import keys
from worker.settings import Settings

PAYLOADS = [IngestHospital(record=HospitalRecord(hospital_name=f"Mercy {number}")) for number in range(300)]


async def enqueue(producer: HospitalProducer) -> list[Receipt[Any]]:
    return [await producer.enqueue(INGEST_HOSPITAL, PAYLOADS[0])]


async def enqueue_many(producer: HospitalProducer) -> list[Receipt[Any]]:
    return [*await producer.enqueue_many(INGEST_HOSPITAL, PAYLOADS)]


async def add_to_a_batch(producer: HospitalProducer) -> list[Receipt[Any]]:
    batch = producer.batch()
    await batch.create()
    return [*await batch.add(INGEST_HOSPITAL, PAYLOADS)]


@pytest.mark.parametrize("call", [enqueue, enqueue_many, add_to_a_batch])
async def test_a_call_has_one_span_whose_context_is_in_each_envelope(
    settings: Settings,
    redis: ArqRedis,
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[HospitalProducer], Awaitable[list[Receipt[Any]]]],
) -> None:
    kept = KeptSpans()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", kept.provider)
    async with HospitalProducer.connect(settings.model_copy(update={"queue_tracing": "link"})) as producer:
        receipts = await call(producer)

    span = kept.named("send arq:queue")
    assert attributes_of(span).get("messaging.batch.message_count", 1) == len(receipts)
    sent = set()
    for receipt in receipts:
        envelope = await redis.get(keys.JOB + receipt.job_id)
        assert envelope is not None
        sent.add(read_trace_context(Codec().decode(envelope)))
    (only,) = sent
    assert only is not None
    assert only.traceparent.startswith(f"00-{trace_id(span):032x}-{span_id(span):016x}-")
