"""Check the alert rules and the dashboard against the existing metrics."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.config import PROJECT_DIR
from app.jobs.worker_metrics import WorkerMetrics
from tests.artifacts import persistence_artifact
from tests.service import Service, running_service

RULES = PROJECT_DIR / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = PROJECT_DIR / "deploy" / "grafana" / "stepahead.json"
METRIC = re.compile(r"\bstepahead_[a-z_]+\b")


@pytest.fixture
def service(fresh_database: str, tmp_path: Path) -> Iterator[Service]:
    with running_service(fresh_database, tmp_path) as running:
        running.register("prices", persistence_artifact())
        yield running


def known(service: Service) -> set[str]:
    """Return the names of all metrics of an api and a worker that have done something."""
    service.predict(model="prices", history=[1.0, 2.0, 3.0])
    worker = WorkerMetrics()
    worker.stage_ended("fitting", 1.0)
    worker.watch_turns(lambda: 0.0)
    text = service.client.get("/metrics").text + worker.exposition().decode()
    return {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line[:1] != "#"}


def expressions() -> Iterator[str]:
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def test_rules_and_dashboard_ask_for_metrics_that_exist(service: Service) -> None:
    names = {name for expression in expressions() for name in METRIC.findall(expression)}
    assert len(names) > 10
    assert names <= known(service)


def test_every_rule_says_what_happened_and_what_to_do() -> None:
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            assert {"summary", "description"} <= rule["annotations"].keys(), rule["alert"]
            assert rule["labels"]["severity"] in {"critical", "warning"}


def test_prometheus_takes_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on this system (apt-get install prometheus)")
    run = subprocess.run([promtool, "check", "rules", str(RULES)], capture_output=True, check=False)
    assert run.returncode == 0, run.stdout.decode() + run.stderr.decode()


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_of_two_hosts_one_gives_the_shared_figures(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = service.client.get("/metrics").text
    assert 'stepahead_jobs{status="queued"} 0' in first
    with running_service(service.database_url, tmp_path / "second") as second:
        monkeypatch.setattr("app.http.shared_figures.HOST", "another host")
        assert "stepahead_jobs" not in second.client.get("/metrics").text
    monkeypatch.undo()
    assert "stepahead_jobs" in service.client.get("/metrics").text
