"""What a worker tells Prometheus on its port: stages, ended jobs, its own pulse."""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from app.storage.job_status import FINAL, JobStatus

STAGE_BUCKETS = (0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 7200)


class WorkerMetrics:
    """The figures of one worker. They are touched from several threads, which the client allows."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._stages = Histogram(
            "stepahead_training_stage_seconds",
            "Time that a training spent in a stage",
            ["stage"],
            buckets=STAGE_BUCKETS,
            registry=self._registry,
        )
        self._ended = Counter(
            "stepahead_worker_jobs",
            "Attempts at jobs that ended here, by how; `queued`: handed back",
            ["status"],
            registry=self._registry,
        )
        self._working = Gauge(
            "stepahead_worker_busy", "1 while an attempt is under way", registry=self._registry
        )
        self._turned = Gauge(
            "stepahead_worker_turn_timestamp_seconds",
            "When the event loop that sends heartbeats last turned",
            registry=self._registry,
        )
        for status in (*FINAL, JobStatus.QUEUED):
            self._ended.labels(status)

    def watch_turns(self, seconds_since_turn: Callable[[], float]) -> None:
        """Say from now on when the event loop last turned."""
        self._turned.set_function(lambda: time.time() - seconds_since_turn())

    def stage_ended(self, stage: str, seconds: float) -> None:
        """Count the time of a stage."""
        self._stages.labels(stage).observe(seconds)

    def began(self) -> None:
        """Count an attempt that begins."""
        self._working.set(1)

    def ended(self, status: JobStatus | None) -> None:
        """Count an attempt that has ended; None: it was superseded, which another one counts."""
        self._working.set(0)
        if status is not None:
            self._ended.labels(status).inc()

    def exposition(self) -> bytes:
        """Return the figures as Prometheus reads them."""
        return generate_latest(self._registry)


class StageClock:
    """Tells how long each stage of a training took, from reports that name the stage."""

    def __init__(self, ended: Callable[[str, float], None]) -> None:
        self._ended = ended
        self._stage: str | None = None
        self._since = 0.0

    def see(self, stage: str | None) -> None:
        """Note the stage that the training is in; None: it has ended."""
        now = time.monotonic()
        if stage == self._stage:
            return
        if self._stage is not None:
            self._ended(self._stage, now - self._since)
        self._stage, self._since = stage, now
