"""The values of metrics, in a form that can be added up and passed from one process to another."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from worker.monitoring.metrics_table import BY_NAME
from worker.queue.histograms import BUCKETS

Labels = tuple[str, ...]
Histogram = tuple[list[int], float]
"""The number in each bucket, and the sum in seconds."""


class Samples:
    """Values by metric and labels."""

    def __init__(self) -> None:
        self.numbers: dict[str, dict[Labels, float]] = {}
        self.histograms: dict[str, dict[Labels, Histogram]] = {}

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a counter or a gauge."""
        self.numbers.setdefault(name, {})[labels] = value

    def observe(self, name: str, buckets: Sequence[int], total_s: float, *labels: str) -> None:
        """Set a histogram."""
        self.histograms.setdefault(name, {})[labels] = list(buckets), total_s

    def merge(self, other: "Samples") -> None:
        """Add the values of another process."""
        for name, values in other.numbers.items():
            mine = self.numbers.setdefault(name, {})
            greatest = BY_NAME[name].merge == "greatest"
            for labels, value in values.items():
                old = mine.get(labels, 0.0)
                mine[labels] = max(old, value) if greatest else old + value
        for name, histograms in other.histograms.items():
            found = self.histograms.setdefault(name, {})
            for labels, (buckets, total_s) in histograms.items():
                old_buckets, old_s = found.get(labels, ([0] * BUCKETS, 0.0))
                found[labels] = [a + b for a, b in zip(old_buckets, buckets, strict=True)], old_s + total_s

    def without_gauges(self) -> "Samples":
        """Return what stays true of a process that has ended."""
        kept = Samples()
        kept.histograms = self.histograms
        kept.numbers = {name: values for name, values in self.numbers.items() if BY_NAME[name].kind == "counter"}
        return kept

    def as_json(self) -> dict[str, Any]:
        """Return the same with plain values, for `from_json`."""
        return {
            "numbers": {name: [[*item] for item in values.items()] for name, values in self.numbers.items()},
            "histograms": {name: [[*item] for item in values.items()] for name, values in self.histograms.items()},
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Samples":
        """Return what `as_json` returned; metrics of another version are left out.

        Raises KeyError, TypeError, ValueError or AttributeError for anything else.
        """
        samples = cls()
        for name, labels, value in _items(stored["numbers"]):
            number = float(value)
            if not math.isfinite(number):
                raise ValueError("a value is not a number")
            samples.set(name, number, *labels)
        for name, labels, (buckets, total_s) in _items(stored["histograms"]):
            if len(buckets) != BUCKETS:
                raise ValueError("a histogram has other buckets")
            samples.observe(name, [int(count) for count in buckets], float(total_s), *labels)
        return samples


def _items(stored: dict[str, Any]) -> Iterable[tuple[str, list[str], Any]]:
    for name, values in stored.items():
        if name in BY_NAME:
            for labels, value in values:
                if len(labels) == len(BY_NAME[name].labels):
                    yield name, [str(label) for label in labels], value
