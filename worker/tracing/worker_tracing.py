"""The tracing of one worker process: who makes its spans, and how they reach the collector."""

import asyncio
import logging
import os

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from worker.errors import ConfigurationError
from worker.own_thread import in_own_thread
from worker.tracing import attributes
from worker.tracing.command_spans import CommandSpans
from worker.tracing.job_spans import JobSpans
from worker.tracing.reporting_exporter import ReportingExporter

# The worker must end although the collector does not answer.
_LAST_EXPORT_S = 1.0
# The first that is set; an empty variable counts as not set.
_PROTOCOLS = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"
_PROTOCOL = "http/protobuf"

_log = structlog.stdlib.get_logger(__name__)


class WorkerTracing:
    """Makes and exports the spans of one worker, from `start` to `stop`.

    `jobs` and `commands` have the listeners. Sampling, the collector and the names of the service come from
    OpenTelemetry's own environment variables. The provider is this worker's own, not the process's: other libraries
    in the process export nothing through it.
    """

    def __init__(self, worker_id: str, version: str, *, parent: bool) -> None:
        named = Resource(
            {"service.name": "hospital-worker", "service.version": version, "service.instance.id": worker_id}
        )
        # What the environment says comes last.
        resource = Resource.create().merge(named).merge(OTELResourceDetector().detect())
        # Not at exit: the SDK would hold up the end of the process for as long as the collector is away.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        tracer = self._provider.get_tracer(attributes.TRACER, version)
        self.commands = CommandSpans(tracer)
        self.jobs = JobSpans(tracer, self.commands, parent=parent)

    def start(self) -> None:
        """Begin to export, from a thread. Raises `ConfigurationError` for a variable that cannot be used."""
        name = next((name for name in _PROTOCOLS if os.environ.get(name)), "")
        if name and os.environ[name] != _PROTOCOL:
            raise ConfigurationError(f"{name}: only {_PROTOCOL} is supported, which collectors take on port 4318")
        # `ReportingExporter` says the same once.
        logging.getLogger(OTLPSpanExporter.__module__).setLevel(logging.CRITICAL)
        try:
            processor = BatchSpanProcessor(ReportingExporter(OTLPSpanExporter()))
        except ValueError:
            raise ConfigurationError(
                "a variable OTEL_EXPORTER_OTLP_… or OTEL_BSP_… has a value that cannot be used: check its spelling"
            ) from None
        self._provider.add_span_processor(processor)

    async def stop(self) -> None:
        """Export what is left, for a second at most; what the collector has not taken by then is lost."""
        try:
            async with asyncio.timeout(_LAST_EXPORT_S):
                await in_own_thread(self._provider.shutdown)
        except OSError:
            # Also a `TimeoutError`. The thread does not hold up the end of the process.
            _log.warning(
                "the collector does not answer; the last spans are lost, and jobs are not affected",
                action="last_spans_not_exported",
            )
