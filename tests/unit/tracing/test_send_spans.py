"""What a producer's client puts into envelopes, with and without tracing; its Redis is simulated."""

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from producers.queue import QueueClient
from tests.security.scanner import CANARY
from tests.support.spans import KeptSpans, attributes_of, span_id, trace_id
from worker.codec import Codec
from worker.contract import INGEST_HOSPITAL, HospitalRecord, IngestHospital
from worker.contract.trace_context import read_trace_context
from worker.errors import UntrustedEnvelope
from worker.settings import load_settings

KEYS = {"k1": f"{CANARY}-of-the-queue"}
PAYLOAD = IngestHospital(record=HospitalRecord(hospital_name="Mercy", source="cms", external_id="1"))
SEND = "send arq:queue"
Client = Callable[..., QueueClient]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> KeptSpans:
    """The spans of this process's provider, as a service sets one."""
    kept = KeptSpans()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", kept.provider)
    return kept


@pytest.fixture
def client() -> Client:
    def make(**settings: Any) -> QueueClient:
        return QueueClient(load_settings(**settings), 1)

    return make


def envelope(client: QueueClient) -> bytes:
    return client.job(INGEST_HOSPITAL, PAYLOAD, "ingest_hospital:1").payload


@pytest.mark.parametrize("mode", ["link", "parent"])
def test_the_envelope_has_the_context_of_the_senders_span_within_its_signature(
    kept: KeptSpans, client: Client, mode: str
) -> None:
    traced = client(queue_tracing=mode, queue_signing_keys=KEYS)
    with traced.sending(INGEST_HOSPITAL) as enqueued:
        data = envelope(traced)
        enqueued(["ingest_hospital:1"])

    span = kept.named(SEND)
    assert attributes_of(span) == {
        "messaging.system": "arq",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "arq:queue",
        "messaging.message.id": "ingest_hospital:1",
        "hospital.job.function": "ingest_hospital",
    }
    assert (span.kind, span.status.status_code) == (SpanKind.PRODUCER, StatusCode.UNSET)
    sent = read_trace_context(Codec(KEYS).decode(data))
    assert sent is not None
    assert sent.traceparent.startswith(f"00-{trace_id(span):032x}-{span_id(span):016x}-")
    forged = data.replace(f"{trace_id(span):032x}".encode(), b"4bf92f3577b34da6a3ce929d0e0e4736")
    with pytest.raises(UntrustedEnvelope):
        Codec(KEYS).decode(forged)


def test_a_call_for_many_jobs_has_one_span_with_their_number(kept: KeptSpans, client: Client) -> None:
    traced = client(queue_tracing="link")
    with traced.sending(INGEST_HOSPITAL) as enqueued:
        found = [read_trace_context(Codec().decode(envelope(traced))) for _ in range(3)]
        enqueued(["1", "2", "3"])

    assert attributes_of(kept.named(SEND))["messaging.batch.message_count"] == 3
    assert len({sent.traceparent for sent in found if sent is not None}) == 1


def test_a_senders_span_belongs_to_the_callers_trace(kept: KeptSpans, client: Client) -> None:
    traced = client(queue_tracing="link")
    with kept.tracer.start_as_current_span("request"), traced.sending(INGEST_HOSPITAL):
        pass

    assert kept.named(SEND).parent == kept.named("request").context


def test_an_error_ends_the_span_with_its_class_and_not_its_message(kept: KeptSpans, client: Client) -> None:
    traced = client(queue_tracing="link")
    with pytest.raises(ValueError, match=CANARY), traced.sending(INGEST_HOSPITAL):
        raise ValueError(CANARY)

    span = kept.named(SEND)
    assert attributes_of(span)["error.type"] == "ValueError"
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert CANARY not in span.to_json()


def test_without_the_setting_there_is_no_span_and_no_field(kept: KeptSpans, client: Client) -> None:
    plain = client()
    with kept.tracer.start_as_current_span("request"), plain.sending(INGEST_HOSPITAL) as enqueued:
        message = Codec().decode(envelope(plain))
        enqueued(["ingest_hospital:1"])

    assert not {"traceparent", "tracestate"} & set(message)
    assert [span.name for span in kept.ended()] == ["request"]


def test_a_service_without_a_provider_sends_plain_envelopes(client: Client) -> None:
    traced = client(queue_tracing="link")
    with traced.sending(INGEST_HOSPITAL) as enqueued:
        message = Codec().decode(envelope(traced))
        enqueued(["ingest_hospital:1"])

    assert not {"traceparent", "tracestate"} & set(message)
