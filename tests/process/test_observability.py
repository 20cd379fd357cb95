import asyncio
import json
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import structlog

from app.config import Settings
from app.process import observability
from app.process.observability import (
    MAX_VERSIONS,
    Metrics,
    configure_logging,
    get_logger,
)

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("restored_logging")
def test_every_line_is_json_with_the_request_id(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="json"))
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        get_logger("test.lines").info("uploaded", rows=5)
        logging.getLogger("a.library").warning("careful: %s", "hot")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["level"], line["request_id"]) for line in lines] == [
        ("uploaded", "info", "r-1"),
        ("careful: hot", "warning", "r-1"),
    ]
    assert lines[0]["rows"] == 5
    assert all(line["timestamp"].endswith("Z") for line in lines)


@pytest.mark.usefixtures("restored_logging")
def test_an_exception_stays_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="json"))
    get_logger("test.failure").error("failed", exc_info=ValueError("why"))
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: why" in json.loads(line)["exception"]


@pytest.mark.usefixtures("restored_logging")
def test_lines_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="console", log_level="error"))
    get_logger("test.level").info("quiet")
    get_logger("test.level").error("loud")
    shown = capsys.readouterr().err
    assert "loud" in shown
    assert "quiet" not in shown


def counted(metrics: Metrics, *, path: str, statuses: Iterable[int], seconds: float = 0.01) -> None:
    """Count one request of each status in an event loop."""

    async def count() -> None:
        for status in statuses:
            metrics.observe("POST", path, status, seconds)

    asyncio.run(count())
    metrics.put()


def test_one_process_has_its_figures_to_itself() -> None:
    metrics = Metrics()
    counted(metrics, path="/livez", statuses=[200])
    figures, content_type = metrics.exposition("")
    assert b'path="/livez"' in figures
    assert content_type.startswith("text/plain")


def test_a_scrape_does_not_grow_with_every_version() -> None:
    metrics = Metrics()

    async def answer() -> None:
        for version in [*range(1, MAX_VERSIONS + 11), 1, MAX_VERSIONS + 1]:
            metrics.answered("retrained", version, 0.01, 2)

    asyncio.run(answer())
    metrics.put()
    figures = metrics.exposition("")[0].decode()
    counts = [line for line in figures.splitlines() if "prediction_seconds_count{" in line]
    assert len(counts) == MAX_VERSIONS + 1
    assert 'stepahead_prediction_seconds_count{model="retrained",version="1"} 4.0' in counts
    assert 'stepahead_prediction_seconds_count{model="other",version="other"} 22.0' in counts


@pytest.mark.parametrize("value", [0.0, 0.0005, 0.003, 1.0, 3.0, 60.0, 5000.0])
def test_what_is_counted_together_is_as_if_observed_one_by_one(
    value: float,
) -> None:
    together, apart = Metrics(), Metrics()

    async def count() -> None:
        together.answered("prices", 1, value, 3)
        together.written(7, committed=False)
        for _ in range(3):
            together.observe("POST", "/predict", 200, value)
            together.inferred("text", int(value))
            together.written(int(value), committed=True)

    asyncio.run(count())
    assert "3.0" not in lines_of(together).values()  # not yet
    together.put()
    apart.log_writes.labels("failed").inc(7)
    for _ in range(3):
        apart.answers.labels("prices", "1").observe(value)
        apart.requests.labels("POST", "/predict", "200").inc()
        apart.latency.labels("POST", "/predict").observe(value)
        apart.batch_rows.labels("text").observe(int(value))
        apart.log_writes.labels("committed").inc(int(value))
        apart.commit_rows.observe(int(value))
    assert lines_of(together) == lines_of(apart)
    assert list(lines_of(together).values()).count("3.0") > 5
    together.put()
    assert lines_of(together) == lines_of(apart)


def lines_of(metrics: Metrics) -> dict[str, str]:
    """Return the values by name and labels."""
    lines = metrics.exposition("")[0].decode().splitlines()
    figures = [line for line in lines if not line.startswith("#") and "_created" not in line]
    return dict(line.rsplit(" ", 1) for line in figures)


def test_what_was_noted_is_put_into_the_figures_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(observability, "PUT_SECONDS", 0.001)
    metrics = Metrics()
    total = 'stepahead_http_requests_total{method="POST",path="/predict",status="%d"}'

    async def count() -> None:
        for turn in range(1, 4):
            for status in (200, 422, 200):
                metrics.observe("POST", "/predict", status, 0.01)
            await asyncio.sleep(0.05)
            lines = lines_of(metrics)
            assert (lines[total % 200], lines[total % 422]) == (f"{2 * turn}.0", f"{turn}.0")

    asyncio.run(count())


def test_what_has_not_happened_yet_is_none_and_not_unknown() -> None:
    lines = lines_of(Metrics())
    assert lines['stepahead_log_writes_total{outcome="failed"}'] == "0.0"
    assert lines['stepahead_batch_rows_count{kind="series"}'] == "0.0"
    assert lines["stepahead_log_commit_rows_count"] == "0.0"
