"""The spans that real workers export, from the call that enqueues a job to each MongoDB command in it."""

import signal
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan

from producers.client import HospitalProducer
from tests.acceptance.collector import Collector, Exported, collecting
from tests.acceptance.conftest import Site
from tests.security.scanner import CANARY
from tests.support.spans import KeptSpans, span_id, trace_id
from worker.contract import HospitalRecord
from worker.queue import keys
from worker.settings import load_settings

PROCESS, SEND = "process arq:queue", "send arq:queue"
KEYS = f"k1:{CANARY}-of-the-queue"
FAST = {"OTEL_BSP_SCHEDULE_DELAY": "100"}


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as collector:
        yield collector


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[KeptSpans]:
    """The spans of the service that enqueues: this process."""
    kept = KeptSpans()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", kept.provider)
    yield kept
    kept.provider.shutdown()


def producer(site: Site, **settings: str) -> HospitalProducer:
    values = {**site.environment, "QUEUE_TRACING": "link", **settings}
    return HospitalProducer.connect(load_settings(**{name.lower(): value for name, value in values.items()}))


async def register(client: HospitalProducer, number: int = 1) -> str:
    """Enqueue a registration, wait until it is done, and return the job's id."""
    record = HospitalRecord(hospital_name="Mercy", source="cms", external_id=str(number), phone=CANARY)
    receipt = await client.register_hospital(record, actor="dr-ito", reason="licence")
    await receipt.outcome(timeout=20)
    return receipt.job_id


async def processed(site: Site, collector: Collector, job_id: str) -> Exported:
    """Wait until the span of a job's only try has arrived, and return it."""
    found: list[Exported] = await site.until(lambda: collector.named(PROCESS, messaging__message__id=job_id))
    (span,) = found
    return span


def commands_of(collector: Collector, around: Exported) -> list[str]:
    return [span.name for span in collector.spans if (span.trace, span.parent) == (around.trace, around.id)]


def ids(span: ReadableSpan) -> tuple[str, str]:
    return f"{trace_id(span):032x}", f"{span_id(span):016x}"


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_with_parent_one_trace_leads_from_the_call_to_each_mongodb_command(
    site: Site, collector: Collector, kept: KeptSpans, driver: str
) -> None:
    await site.worker(
        QUEUE_TRACING="parent",
        QUEUE_SIGNING_KEYS=KEYS,
        MONGODB_DRIVER=driver,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        **FAST,
    )
    async with producer(site, QUEUE_SIGNING_KEYS=KEYS) as client:
        with kept.tracer.start_as_current_span("request"):
            job_id = await register(client)
    span = await processed(site, collector, job_id)

    sent = kept.named(SEND)
    assert sent.parent == kept.named("request").context
    assert (span.trace, span.parent, span.kind) == (*ids(sent), "CONSUMER")
    assert span.links == [ids(sent)]
    assert span.service == "hospital-worker"
    assert span.attributes["hospital.job.outcome"] == "complete"
    sent_commands = commands_of(collector, span)
    assert "insert logs" in sent_commands
    assert "commitTransaction admin" in sent_commands
    # All commands of the worker's start, and of its side tasks, belong to no job.
    assert {each.trace for each in collector.spans} == {span.trace}
    assert {each.kind for each in collector.spans if each is not span} == {"CLIENT"}
    assert not any(CANARY in each.text or "dr-ito" in each.text for each in collector.spans)


async def test_by_default_a_job_is_a_trace_of_its_own_linked_to_the_call(
    site: Site, collector: Collector, kept: KeptSpans
) -> None:
    await site.worker(QUEUE_TRACING="link", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **FAST)
    async with producer(site) as client:
        span = await processed(site, collector, await register(client))

    sent_trace, sent_span = ids(kept.named(SEND))
    assert span.trace != sent_trace
    assert (span.parent, span.links) == ("", [(sent_trace, sent_span)])
    assert "insert logs" in commands_of(collector, span)


async def test_each_try_has_its_span_and_no_message_of_an_error(site: Site, collector: Collector) -> None:
    await site.worker(
        "spans_settings.WorkerSettings", QUEUE_TRACING="link", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **FAST
    )
    await site.put("flaky", job_id="flaky")
    await site.put("broken", CANARY, job_id="broken")
    await site.until(lambda: len(collector.named(PROCESS)) == 3)

    tries = sorted(
        (
            span.attributes["messaging.message.id"],
            span.attributes["hospital.job.try"],
            span.attributes["hospital.job.outcome"],
            span.attributes.get("error.type"),
            span.is_error,
        )
        for span in collector.named(PROCESS)
    )
    assert tries == [
        ("broken", 1, "dead", "ValueError", True),
        ("flaky", 1, "retried", "TransientError", True),
        ("flaky", 2, "complete", None, False),
    ]
    assert not any(CANARY in span.text or "a moment" in span.text for span in collector.spans)


async def test_a_forged_trace_context_is_refused_and_plain_envelopes_run(
    site: Site, collector: Collector, kept: KeptSpans
) -> None:
    forged = "4bf92f3577b34da6a3ce929d0e0e4736"
    async with producer(site, QUEUE_SIGNING_KEYS=KEYS) as client:
        record = HospitalRecord(hospital_name="Mercy", source="cms", external_id="1")
        tampered = await client.ingest_hospital(record, idempotency_key="tampered")
        data = await site.redis.get(keys.JOB + tampered.job_id)
        sent_trace, _ = ids(kept.named(SEND))
        await site.redis.set(keys.JOB + tampered.job_id, data.replace(sent_trace.encode(), forged.encode()))
        await site.worker(
            QUEUE_TRACING="parent",
            QUEUE_SIGNING_KEYS=KEYS,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            **FAST,
        )
        dead_letter = await site.until(lambda: site.redis.hget(keys.DEAD, tampered.job_id))
    assert b"UntrustedEnvelope" in dead_letter
    # A producer of an earlier version, or one that does not trace.
    async with producer(site, QUEUE_SIGNING_KEYS=KEYS, QUEUE_TRACING="off") as client:
        span = await processed(site, collector, await register(client))

    assert (span.parent, span.links) == ("", [])
    assert not any(forged in each.text for each in collector.spans)
    assert collector.named(PROCESS, messaging__message__id=tampered.job_id) == []


async def test_a_worker_without_tracing_runs_traced_jobs_and_exports_nothing(
    site: Site, collector: Collector, kept: KeptSpans
) -> None:
    run = await site.worker(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **FAST)
    async with producer(site) as client:
        await register(client)
    run.send(signal.SIGTERM)

    assert await run.ended() == 0
    assert [span.name for span in kept.ended()] == [SEND]
    assert collector.spans == []


async def test_spans_that_were_not_sent_yet_are_sent_at_the_end(site: Site, collector: Collector) -> None:
    run = await site.worker(
        QUEUE_TRACING="link", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="60000"
    )
    await site.put("ingest_hospital", {"record": {"hospital_name": "Mercy"}}, job_id="ingest:1")
    await site.result("ingest:1")
    assert collector.spans == []
    run.send(signal.SIGTERM)

    assert await run.ended() == 0
    assert len(collector.named(PROCESS, messaging__message__id="ingest:1")) == 1


async def test_a_collector_that_is_away_costs_no_job_and_no_time(site: Site) -> None:
    async with collecting() as collector:
        url = collector.url
    run = await site.worker(QUEUE_TRACING="link", OTEL_EXPORTER_OTLP_ENDPOINT=url, **FAST)
    began = time.monotonic()
    for number in range(50):
        await site.put("ingest_hospital", {"record": {"hospital_name": f"H {number}"}}, job_id=f"ingest:{number}")
    for number in range(50):
        await site.result(f"ingest:{number}")
    assert time.monotonic() - began < 10
    run.send(signal.SIGTERM)
    began = time.monotonic()

    assert await run.ended() == 0
    assert time.monotonic() - began < 5
    assert "action=last_spans_not_exported" in run.log or "action=spans_not_exported" in run.log
    assert "Traceback" not in run.log
    assert "opentelemetry.exporter" not in run.log


async def test_the_environment_decides_on_sampling_and_names(site: Site, collector: Collector) -> None:
    run = await site.worker(
        QUEUE_TRACING="link",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_TRACES_SAMPLER="always_off",
        **FAST,
    )
    await site.put("ingest_hospital", {"record": {"hospital_name": "Mercy"}}, job_id="ingest:1")
    await site.result("ingest:1")
    run.send(signal.SIGTERM)
    assert await run.ended() == 0
    assert collector.spans == []

    await site.worker(
        QUEUE_TRACING="link", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="registry", **FAST
    )
    await site.put("ingest_hospital", {"record": {"hospital_name": "Mercy"}}, job_id="ingest:2")
    assert (await processed(site, collector, "ingest:2")).service == "registry"


async def test_a_variable_that_cannot_be_used_ends_the_start_with_one_line(site: Site) -> None:
    run = await site.start(QUEUE_TRACING="link", OTEL_EXPORTER_OTLP_PROTOCOL="grpc")

    assert await run.ended() == 1
    assert "The worker cannot start: OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf is supported" in run.log
    assert "Traceback" not in run.log
