from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from structlog.testing import capture_logs

from worker.tracing.reporting_exporter import ReportingExporter


class Collector(SpanExporter):
    """Takes spans, or none while it is away."""

    away = False
    taken = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self.away:
            return SpanExportResult.FAILURE
        self.taken += len(spans)
        return SpanExportResult.SUCCESS


def test_an_outage_of_the_collector_is_logged_once_and_its_end_with_what_was_lost() -> None:
    collector, spans = Collector(), [ReadableSpan("one"), ReadableSpan("two")]
    exporter = ReportingExporter(collector)
    with capture_logs() as lines:
        assert exporter.export(spans) is SpanExportResult.SUCCESS
        collector.away = True
        assert [exporter.export(spans) for _ in range(3)] == [SpanExportResult.FAILURE] * 3
        collector.away = False
        exporter.export(spans)
        exporter.export(spans)

    assert [(line["action"], line["log_level"], line.get("lost")) for line in lines] == [
        ("spans_not_exported", "warning", None),
        ("spans_exported_again", "info", 6),
    ]
    assert collector.taken == 6
