"""Writes the values of metrics in Prometheus's text format."""

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from worker.monitoring.metrics_table import METRICS
from worker.monitoring.samples import Histogram, Samples
from worker.queue.histograms import BOUNDS_S

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""The type of what `as_text` returns."""


class _SamplesCollector(Collector):
    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Metric]:
        """Yield what there is of each metric of the table."""
        for metric in METRICS:
            if metric.kind == "histogram":
                histogram = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
                for labels, value in self._samples.histograms.get(metric.name, {}).items():
                    histogram.add_metric(labels, _cumulative(value), value[1])
                yield histogram
            else:
                family = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
                found = family(metric.name, metric.meaning, labels=metric.labels)
                for labels, number in self._samples.numbers.get(metric.name, {}).items():
                    found.add_metric(labels, number)
                yield found


def as_text(samples: Samples) -> bytes:
    """Return the values in Prometheus's text format."""
    return generate_latest(_SamplesCollector(samples))


def _cumulative(histogram: Histogram) -> list[tuple[str, float]]:
    limits = [*(f"{bound:g}" for bound in BOUNDS_S), "+Inf"]
    counts, total = [], 0.0
    for limit, count in zip(limits, histogram[0], strict=True):
        total += count
        counts.append((limit, total))
    return counts
