"""An exporter of spans that says in the log when spans are lost."""

from collections.abc import Sequence

import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

_log = structlog.stdlib.get_logger(__name__)


class ReportingExporter(SpanExporter):
    """Exports through another exporter, and logs once that it fails, and once that it works again.

    The other one logs each of its attempts, every few seconds for as long as a collector is unavailable.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans; returns whether the collector has taken them."""
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            if not self._lost:
                _log.warning(
                    "the collector takes no spans; jobs are not affected, and these spans are lost",
                    action="spans_not_exported",
                )
            self._lost += len(spans)
        elif self._lost:
            _log.info("the collector takes spans again", action="spans_exported_again", lost=self._lost)
            self._lost = 0
        return result

    def shutdown(self) -> None:
        """Close the connection to the collector."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return whether nothing is left in the other exporter."""
        return self._exporter.force_flush(timeout_millis)
