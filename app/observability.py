"""What an operator sees: structured logs with the request id, and Prometheus metrics."""

import asyncio
import importlib
import logging
import os
import sys
from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from structlog.types import Processor

from app.config import Settings

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Histogram

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
LATENCY_BUCKETS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
# With figures of their own. Each takes 18 lines of every scrape: ten thousand were 15 MB, and took
# 1.6 s to write.
MAX_VERSIONS = 1000
OTHER = "other"  # no version's number
COUNT_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


def configure_logging(settings: Settings) -> None:
    """One line per event on standard error, JSON or for a terminal; also for the libraries'."""
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
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line per request of a test or the CLI
    logging.getLogger("alembic").setLevel(logging.WARNING)  # app.db.migrate says it in one line


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound


def metrics_folder(settings: Settings) -> Path:
    """Where several api processes keep their figures for each other."""
    return settings.resolved_data_dir / "metrics"


def empty_metrics_folder(settings: Settings) -> None:
    """Forget the figures of an earlier run; for who starts the api processes, before they start."""
    folder = metrics_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink()


class Tally:
    """Requests of one kind that are not in their figures yet."""

    __slots__ = ("_buckets", "_counter", "_histogram", "_seconds")

    def __init__(self, counter: "Counter", histogram: "Histogram") -> None:
        self._counter = counter
        self._histogram = histogram
        self._seconds = 0.0
        self._buckets: dict[int, int] = {}  # how many in which bucket

    def add(self, seconds: float) -> bool:
        """Take one along; whether it is the first."""
        is_first = not self._buckets
        bucket = bisect_left(LATENCY_BUCKETS, seconds)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self._seconds += seconds
        return is_first

    def put(self) -> None:
        """Put them into the figures."""
        self._counter.inc(sum(self._buckets.values()))
        add_together(self._histogram, self._seconds, self._buckets)
        self._seconds = 0.0
        self._buckets.clear()


class Metrics:
    """The figures of one api process; with several processes, its part of a shared sum.

    prometheus_client decides between memory and shared files when it is first imported, so it is
    imported here, after the folder of the shared files has been named.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.api_processes > 1:
            os.environ.setdefault(MULTIPROCESS_VARIABLE, str(metrics_folder(settings)))
        self.folder = os.environ.get(MULTIPROCESS_VARIABLE)
        if self.folder is not None:
            Path(self.folder).mkdir(parents=True, exist_ok=True)
        self._client = importlib.import_module("prometheus_client")
        self._multiprocess = importlib.import_module("prometheus_client.multiprocess")
        client, registry = self._client, self._client.CollectorRegistry()
        self.registry: CollectorRegistry = registry
        self.requests = client.Counter(
            "stepahead_http_requests",
            "Answered requests",
            ["method", "path", "status"],
            registry=registry,
        )
        self.latency = client.Histogram(
            "stepahead_http_request_seconds",
            "Time from the request's head to the end of its answer",
            ["method", "path"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.batch_rows = client.Histogram(
            "stepahead_batch_rows",
            "Requests that shared one inference",
            ["kind"],
            buckets=COUNT_BUCKETS,
            registry=registry,
        )
        self.commit_rows = client.Histogram(
            "stepahead_log_commit_rows",
            "Predictions that shared one commit",
            buckets=COUNT_BUCKETS,
            registry=registry,
        )
        self.log_writes = client.Counter(
            "stepahead_log_writes", "Rows of the prediction log", ["outcome"], registry=registry
        )
        self.loaded_models = client.Gauge(
            "stepahead_loaded_models",
            "Versions in memory",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.loaded_bytes = client.Gauge(
            "stepahead_loaded_model_bytes",
            "Memory that loaded versions are counted with",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.answers = client.Histogram(
            "stepahead_prediction_seconds",
            "Time from a turn of requests to their committed answers, by version; those "
            f"beyond the first {MAX_VERSIONS} of a process together, as {OTHER}",
            ["model", "version"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        # prometheus_client takes as long to find a labelled figure as to count in it.
        self._tallies: dict[tuple[str, str, int], Tally] = {}
        self._waiting: list[Tally] = []
        self._answers: dict[tuple[str, int], Histogram] = {}
        self._forget_dead_processes()

    def observe(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count one answered request, on the event loop.

        It is in the figures at the end of the turn, with all others of the turn. By itself each
        took 1 us, and 5 with several processes, whose figures are in files: one in twenty of all
        that a logged prediction takes.
        """
        tally = self._tallies.get((method, path, status))
        if tally is None:
            tally = self._tallies[method, path, status] = Tally(
                self.requests.labels(method, path, str(status)), self.latency.labels(method, path)
            )
        if tally.add(seconds):
            if not self._waiting:
                asyncio.get_running_loop().call_soon(self._put)
            self._waiting.append(tally)

    def _put(self) -> None:
        for tally in self._waiting:
            tally.put()
        self._waiting.clear()

    def answered(self, model: str, version: int, seconds: float, requests: int) -> None:
        """Count requests that were answered together."""
        histogram = self._answers.get((model, version))
        if histogram is None:
            histogram = self._histogram_of(model, version)
        bucket = bisect_left(LATENCY_BUCKETS, seconds)
        add_together(histogram, seconds * requests, {bucket: requests})

    def _histogram_of(self, model: str, version: int) -> "Histogram":
        """A version's own figures while there are few, else those of all others together."""
        own = len(self._answers) < MAX_VERSIONS
        labels = (model, str(version)) if own else (OTHER, OTHER)
        histogram: Histogram = self.answers.labels(*labels)
        if own:
            self._answers[model, version] = histogram
        return histogram

    def exposition(self, jobs: Mapping[str, int]) -> tuple[bytes, str]:
        """All processes' figures and the queue's, with their content type.

        Args:
            jobs: how many jobs are in each state; the same for all processes.
        """
        registry = self.registry
        if self.folder is not None:
            registry = self._client.CollectorRegistry()
            self._multiprocess.MultiProcessCollector(registry)
        figures: bytes = self._client.generate_latest(registry)
        lines = [
            "# HELP stepahead_jobs Training jobs by status",
            "# TYPE stepahead_jobs gauge",
            *(f'stepahead_jobs{{status="{status}"}} {count}' for status, count in jobs.items()),
        ]
        return figures + ("\n".join(lines) + "\n").encode(), self._client.CONTENT_TYPE_LATEST

    def close(self) -> None:
        """Take this process's gauges out of the sum."""
        if self.folder is not None:
            self._multiprocess.mark_process_dead(os.getpid())

    def _forget_dead_processes(self) -> None:
        """Take the gauges of processes that were killed out of the sum."""
        if self.folder is None:
            return
        for file in Path(self.folder).glob("gauge_live*_*.db"):
            pid = file.stem.rsplit("_", 1)[1]
            if pid.isdigit() and not _alive(int(pid)):
                self._multiprocess.mark_process_dead(int(pid))


def add_together(histogram: "Histogram", total: float, buckets: Mapping[int, int]) -> None:
    """What `observe` does, for many at once.

    Args:
        histogram: of LATENCY_BUCKETS.
        total: of all that is observed, in seconds.
        buckets: how many of them are in which.
    """
    histogram._sum.inc(total)  # noqa: SLF001
    for bucket, observed in buckets.items():
        histogram._buckets[bucket].inc(observed)  # noqa: SLF001


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
