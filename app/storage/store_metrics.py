"""Count and time the requests to the object store."""

from prometheus_client import Counter, Gauge, Histogram

from app.process.observability import LATENCY_BUCKETS, Metrics


class StoreMetrics:
    """Metrics of this process's requests to the store. Any thread may report."""

    def __init__(self, metrics: Metrics) -> None:
        self._seconds = Histogram(
            "stepahead_store_request_seconds",
            "Time that a request to the object store took",
            ["operation"],
            buckets=LATENCY_BUCKETS,
            registry=metrics.registry,
        )
        self._failures = Counter(
            "stepahead_store_failures",
            "Requests to the object store that failed",
            ["operation"],
            registry=metrics.registry,
        )
        self._up = Gauge(
            "stepahead_store_up",
            "Whether the object store answered the last probe",
            registry=metrics.registry,
        )

    def observe(self, operation: str, seconds: float, failed: bool) -> None:  # noqa: FBT001 - an Observer
        """Count one request."""
        self._seconds.labels(operation).observe(seconds)
        failures = self._failures.labels(operation)  # makes the count 0 from the first request on
        if failed:
            failures.inc()

    def show_up(self, *, up: bool) -> None:
        """Record whether the store answers."""
        self._up.set(up)
