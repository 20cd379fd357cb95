"""Validate the chart and the plain manifests against the schemas of Kubernetes."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.config import PROJECT_DIR, Settings

DEPLOY = PROJECT_DIR / "deploy"
CHART = DEPLOY / "helm" / "stepahead"
MANIFESTS = DEPLOY / "kubernetes" / "stepahead.yaml"
GO_PACKAGES = Path("/usr/share/gocode")  # from Debian
RELEASES = ("1.27", "1.32", "1.37")
# from Prometheus's operator and KEDA
CUSTOM = {"PodMonitor", "ScaledObject", "TriggerAuthentication"}
EVERYTHING = """
database: {readKey: replica}
api: {autoscaling: {enabled: false}, affinity: {nodeAffinity: {}}}
image: {pullSecrets: [{name: registry}]}
ingress: {enabled: true, className: nginx, tlsSecret: tls, annotations: {a: b}}
metrics: {podMonitor: {enabled: true}}
networkPolicy: {from: [{namespaceSelector: {matchLabels: {team: a}}}]}
settings: {STEPAHEAD_LOG_RETENTION_DAYS: "90"}
store: {secret: aws}
worker: {keda: {enabled: true}, nodeSelector: {gpu: "true"}, tolerations: [{operator: Exists}]}
"""

Manifest = dict[str, Any]


def manifests(text: str) -> list[Manifest]:
    return [each for each in yaml.safe_load_all(text) if each]


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return a command that renders the chart: helm, or our own with Go's template engine."""
    if shutil.which("helm"):
        return ["helm", "template", "stepahead"]
    if not shutil.which("go") or not (GO_PACKAGES / "src/github.com/Masterminds/sprig").is_dir():
        pytest.skip("neither helm nor Debian's golang and golang-github-masterminds-sprig-dev")
    program = tmp_path_factory.mktemp("renderer") / "render"
    source = Path(__file__).with_name("render_chart.go")
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": str(GO_PACKAGES)}
    command = ["go", "build", "-o", str(program), str(source)]
    subprocess.run(command, check=True, env=environment)
    return [str(program)]


def rendered(renderer: list[str], *values: Path) -> list[Manifest]:
    given = [part for path in values for part in ("-f", str(path))]
    if renderer[0] != "helm":
        given = [str(path) for path in values]
    run = subprocess.run(
        [*renderer, str(CHART), *given], capture_output=True, text=True, check=True
    )
    return manifests(run.stdout)


def check(all_of_them: list[Manifest]) -> None:
    for manifest in all_of_them:
        if manifest["kind"] not in CUSTOM:
            for release in RELEASES:
                kubernetes_validate.validate(manifest, release, strict=True)


def containers(all_of_them: list[Manifest]) -> Iterator[Manifest]:
    for manifest in all_of_them:
        if manifest["kind"] in {"Deployment", "Job"}:
            yield from manifest["spec"]["template"]["spec"]["containers"]


def test_the_plain_manifests_are_valid() -> None:
    check(manifests(MANIFESTS.read_text("utf-8")))


def test_the_plain_manifests_are_the_chart_with_its_defaults(renderer: list[str]) -> None:
    assert manifests(MANIFESTS.read_text("utf-8")) == rendered(renderer)


def test_the_chart_is_valid_with_everything_switched_on(
    renderer: list[str], tmp_path: Path
) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(EVERYTHING)
    found = rendered(renderer, values)
    check(found)
    assert CUSTOM | {"Ingress"} <= {manifest["kind"] for manifest in found}
    assert "HorizontalPodAutoscaler" not in {manifest["kind"] for manifest in found}
    replica = {"secretKeyRef": {"name": "stepahead-database", "key": "replica"}}
    for container in containers(found):
        variables = {each["name"]: each.get("valueFrom") for each in container["env"]}
        assert variables["STEPAHEAD_READ_DATABASE_URL"] == replica


def test_settings_of_the_chart_exist() -> None:
    known = {f"STEPAHEAD_{name.upper()}" for name in Settings.model_fields}
    for container in containers(manifests(MANIFESTS.read_text("utf-8"))):
        names = {each["name"] for each in container["env"]}
        assert {name for name in names if name.startswith("STEPAHEAD_")} <= known


def test_manifests_contain_no_secret_and_nothing_runs_as_root() -> None:
    found = manifests(MANIFESTS.read_text("utf-8"))
    assert "Secret" not in {manifest["kind"] for manifest in found}
    for container in containers(found):
        for variable in container["env"]:
            if variable["name"] in {"STEPAHEAD_API_KEY", "STEPAHEAD_DATABASE_URL"}:
                assert "secretKeyRef" in variable["valueFrom"]
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"]
        assert not security["allowPrivilegeEscalation"]


def test_the_chart_is_of_the_packages_version() -> None:
    pyproject = (PROJECT_DIR / "pyproject.toml").read_text("utf-8")
    version = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))["appVersion"]
    assert f'version = "{version}"' in pyproject
