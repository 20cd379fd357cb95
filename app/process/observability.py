"""Configure structured logs with request ids, and collect Prometheus metrics."""

import asyncio
import logging
import sys
import time
from bisect import bisect_left
from collections.abc import Sequence
from typing import get_args

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from structlog.types import Processor

from app.config import Settings
from app.process.shared_figures import SharedFigures, Slot
from app.recipes.recipe import Kind

LATENCY_BUCKETS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
# Versions with figures of their own. Each adds 18 lines to every scrape: ten thousand versions took
# 15 MB and 1.6 s.
MAX_VERSIONS = 1000
OTHER = "other"  # not a version's number
PUT_SECONDS = 0.1
PUBLISH_SECONDS = 1.0  # how often figures are published to the other api processes
# maximum share of a core for publishing; the figures of a thousand versions take 0.1 s
PUBLISHING_SHARE = 0.01
COUNT_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


def configure_logging(settings: Settings) -> None:
    """Log one line per event to standard error, as JSON or for a terminal, also for libraries."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    as_json = settings.log_format == "json" or (
        settings.log_format == "auto" and not sys.stderr.isatty()
    )
    last: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer()]
    )
    handler = logging.StreamHandler()
    handler.set_name("stepahead")
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [
        *(known for known in root.handlers if known.get_name() != "stepahead"),
        handler,
    ]
    root.setLevel(settings.log_level.upper())
    logging.getLogger("httpx").setLevel(logging.WARNING)  # one line per request of the CLI
    logging.getLogger("alembic").setLevel(logging.WARNING)  # app.storage.migrate logs a line itself


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound


class Tally:
    """Observations that are not in their histogram yet."""

    __slots__ = ("_bounds", "_buckets", "_counter", "_histogram", "_total")

    def __init__(
        self,
        histogram: Histogram,
        bounds: Sequence[float],
        counter: Counter | None = None,
    ) -> None:
        """Start without observations.

        Args:
            histogram: receives the observations.
            bounds: its upper bounds in rising order, without infinity.
            counter: also counts the observations.
        """
        self._histogram = histogram
        self._bounds = bounds
        self._counter = counter
        self._buckets: dict[int, int] = {}  # observations by index of the bucket
        self._total = 0.0

    def add(self, value: float, times: int) -> bool:
        """Add a value that occurred this many times; return whether it is the first."""
        is_first = not self._buckets
        bucket = bisect_left(self._bounds, value)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + times
        self._total += value * times
        return is_first

    def put(self) -> None:
        """Put all of them into the histogram, as its `observe` would do one by one."""
        self._histogram._sum.inc(self._total)  # noqa: SLF001
        for bucket, times in self._buckets.items():
            self._histogram._buckets[bucket].inc(times)  # noqa: SLF001
        if self._counter is not None:
            self._counter.inc(sum(self._buckets.values()))
        self._buckets.clear()
        self._total = 0.0


class Metrics:
    """The metrics of an api process, alone or as part of the sum over several.

    Frequent events are noted on the event loop and put into the metrics ten times a second. Putting
    them in immediately took 1 us per request and 20 us per group of requests.
    """

    def __init__(self, slot: Slot | None = None) -> None:
        """Start with nothing counted.

        Args:
            slot: the place of this process among several that are counted together.
        """
        self.registry = CollectorRegistry()
        self._shared = None if slot is None else SharedFigures(slot, self.registry)
        self._is_published_soon = False
        self._publishing_took = 0.0  # seconds
        self._declare_requests()
        self._declare_predictions()
        self._declare_state()
        self._requests: dict[tuple[str, str, int], Tally] = {}
        self._answers: dict[tuple[str, int], Tally] = {}
        self._runs = {
            kind: Tally(self.batch_rows.labels(kind), COUNT_BUCKETS) for kind in get_args(Kind)
        }
        self._commits = Tally(self.commit_rows, COUNT_BUCKETS)
        self._rows = {"committed": 0, "failed": 0}  # of the prediction log
        self._waiting: list[Tally] = []
        self._is_put_soon = False
        self.put()  # events that have not happened yet count 0 instead of being unknown

    def _declare_requests(self) -> None:
        """Declare the metrics of requests and connections."""
        registry = self.registry
        self.requests = Counter(
            "stepahead_http_requests",
            "Answered requests",
            ["method", "path", "status"],
            registry=registry,
        )
        self.latency = Histogram(
            "stepahead_http_request_seconds",
            "Time from the request's head to the end of its answer",
            ["method", "path"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.open_connections = Gauge(
            "stepahead_connections",
            "Open connections",
            registry=registry,
        )
        self.closed_connections = Counter(
            "stepahead_connections_closed",
            "Connections that the service closed because of a limit",
            ["reason"],
            registry=registry,
        )

    def _declare_predictions(self) -> None:
        """Declare the metrics of inference, the log and answers."""
        registry = self.registry
        self.batch_rows = Histogram(
            "stepahead_batch_rows",
            "Requests that shared one inference",
            ["kind"],
            buckets=COUNT_BUCKETS,
            registry=registry,
        )
        self.commit_rows = Histogram(
            "stepahead_log_commit_rows",
            "Predictions that shared one commit",
            buckets=COUNT_BUCKETS,
            registry=registry,
        )
        self.log_writes = Counter(
            "stepahead_log_writes", "Rows of the prediction log", ["outcome"], registry=registry
        )
        self.answers = Histogram(
            "stepahead_prediction_seconds",
            "Time from receiving requests to their committed answers, by version; those "
            f"beyond the first {MAX_VERSIONS} of a process together, as {OTHER}",
            ["model", "version"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )

    def _declare_state(self) -> None:
        """Declare the gauges for what a process holds."""
        registry = self.registry
        self.loaded_models = Gauge(
            "stepahead_loaded_models",
            "Versions in memory",
            registry=registry,
        )
        self.loaded_bytes = Gauge(
            "stepahead_loaded_model_bytes",
            "Memory that loaded versions are counted with",
            registry=registry,
        )
        self.registry_read = Gauge(
            "stepahead_registry_read_timestamp_seconds",
            "When the registry was last read; of several processes the one that lags most",
            registry=registry,
        )
        self.connections = Gauge(
            "stepahead_database_connections",
            "Connections of handlers that are in use; the log and the registry have their own",
            registry=registry,
        )

    def observe(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        tally = self._requests.get((method, path, status))
        if tally is None:
            tally = self._requests[method, path, status] = Tally(
                self.latency.labels(method, path),
                LATENCY_BUCKETS,
                self.requests.labels(method, path, str(status)),
            )
        self._add(tally, seconds)

    def inferred(self, kind: str, rows: int) -> None:
        """Count an inference shared by several requests."""
        self._add(self._runs[kind], rows)

    def written(self, rows: int, *, committed: bool) -> None:
        """Count a commit of the log, or a failed one."""
        if committed:
            self._add(self._commits, rows)
        self._rows["committed" if committed else "failed"] += rows
        self._put_soon()

    def answered(self, model: str, version: int, seconds: float, requests: int) -> None:
        """Count requests that were answered together."""
        tally = self._answers.get((model, version))
        if tally is None:
            tally = self._tally_of(model, version)
        self._add(tally, seconds, requests)

    def answered_so_far(self, model: str, version: int) -> tuple[int, float]:
        """Return how many requests of a version this process has answered, and their seconds.

        They are as they were at the last `put`. A version beyond the first `MAX_VERSIONS` has no
        figures of its own: zero.
        """
        labels = {"model": model, "version": str(version)}
        count = self.registry.get_sample_value("stepahead_prediction_seconds_count", labels)
        seconds = self.registry.get_sample_value("stepahead_prediction_seconds_sum", labels)
        return int(count or 0), seconds or 0.0

    def _tally_of(self, model: str, version: int) -> Tally:
        """Return the tally of a version, or the shared one if there are already many versions."""
        own = len(self._answers) < MAX_VERSIONS
        labels = (model, str(version)) if own else (OTHER, OTHER)
        tally = Tally(self.answers.labels(*labels), LATENCY_BUCKETS)
        if own:
            self._answers[model, version] = tally
        return tally

    def _add(self, tally: Tally, value: float, times: int = 1) -> None:
        if tally.add(value, times):
            self._waiting.append(tally)
            self._put_soon()

    def _put_soon(self) -> None:
        if not self._is_put_soon:
            self._is_put_soon = True
            asyncio.get_running_loop().call_later(PUT_SECONDS, self._put_and_publish)

    def _put_and_publish(self) -> None:
        self.put()
        if self._shared is not None and not self._is_published_soon:
            self._is_published_soon = True
            seconds = max(PUBLISH_SECONDS, self._publishing_took / PUBLISHING_SHARE)
            loop = asyncio.get_running_loop()
            loop.call_later(seconds, lambda: loop.run_in_executor(None, self._publish))

    def _publish(self) -> None:
        self._is_published_soon = False
        began = time.perf_counter()
        if self._shared is not None:
            self._shared.publish()
        self._publishing_took = time.perf_counter() - began

    def put(self) -> None:
        """Put what was noted into the metrics; call this on the event loop."""
        self._is_put_soon = False
        for tally in self._waiting:
            tally.put()
        self._waiting.clear()
        for outcome, rows in self._rows.items():
            self.log_writes.labels(outcome).inc(rows)
            self._rows[outcome] = 0

    def exposition(self, shared: str) -> tuple[bytes, str]:
        """Return the metrics of all processes and of the installation, with their content type.

        Those of this process are as of its last `put`.

        Args:
            shared: metrics of the whole installation, in Prometheus's text format.
        """
        registry = self.registry
        if self._shared is not None:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(self._shared)
        return generate_latest(registry) + shared.encode(), CONTENT_TYPE_LATEST

    def close(self) -> None:
        """Put the rest into the metrics and remove this process's gauges from the sum."""
        self.put()
        if self._shared is not None:
            self._shared.publish(is_ending=True)
