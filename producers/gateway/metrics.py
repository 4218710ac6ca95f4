"""What the gateway counts, as Prometheus reads it."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_METHODS = frozenset({"GET", "POST", "DELETE"})
_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class GatewayMetrics:
    """The metrics of one application. Labels have few values: a route is its template, never an address."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "hospital_gateway_requests",
            "requests that were answered, by route, method and status",
            ("route", "method", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "hospital_gateway_request_seconds",
            "from the first line of a request to the end of its answer",
            ("route",),
            buckets=_BOUNDS_S,
            registry=self._registry,
        )
        self.streams = Gauge("hospital_gateway_streams", "open streams of events", registry=self._registry)
        self.uploads = Gauge(
            "hospital_gateway_uploads", "files that are received or imported", registry=self._registry
        )

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, method if method in _METHODS else "other", str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self._registry)
