"""Check the container files as far as possible without a container."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from app.config import PROJECT_DIR, Settings
from app.terminal.cli.command_line import cli

DOCKERFILE = (PROJECT_DIR / "Dockerfile").read_text(encoding="utf-8")
COPY = re.compile(r"^COPY (?!--from)(?P<sources>.+) \S+$", re.MULTILINE)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((PROJECT_DIR / "docker-compose.yml").read_text("utf-8"))
    return loaded


def copied() -> list[str]:
    return [source for match in COPY.finditer(DOCKERFILE) for source in match["sources"].split()]


def commands() -> set[str]:
    group: Any = typer.main.get_command(cli)
    return set(group.commands)


def ignored() -> set[str]:
    lines = (PROJECT_DIR / ".dockerignore").read_text(encoding="utf-8").split()
    return {line.rstrip("/") for line in lines}


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    assert {"app", "migrations", "models", "pyproject.toml"} <= set(copied())
    for source in copied():
        assert (PROJECT_DIR / source).exists(), source
        assert Path(source).parts[0] not in ignored(), source


def test_the_api_is_built_without_tensorflow_and_the_worker_with_it() -> None:
    stages = re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE)
    assert {"api", "worker"} <= set(stages)
    pinned = {
        name: (PROJECT_DIR / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        for name in ("api", "serve")
    }
    assert "tensorflow" not in pinned["api"]
    assert "tensorflow" in pinned["serve"]
    api, worker = DOCKERFILE.split("AS build-worker")
    assert "requirements/api.txt" in api
    assert "requirements/serve.txt" not in api
    assert "requirements/serve.txt" in worker


def test_nothing_runs_as_root() -> None:
    base = DOCKERFILE.split(" AS base\n")[1]
    assert "\nUSER stepahead\n" in base
    assert "USER root" not in base


def test_the_containers_run_commands_that_exist(compose: dict[str, Any]) -> None:
    run = re.findall(r'^CMD \["stepahead", "(\w+)"', DOCKERFILE, re.MULTILINE)
    run += [
        service["command"][1]
        for service in compose["services"].values()
        if service.get("command", [""])[0] == "stepahead"
    ]
    assert sorted(run) == ["api", "migrate", "worker"]
    assert set(run) <= commands()


def test_settings_of_the_containers_exist(compose: dict[str, Any]) -> None:
    known = {f"STEPAHEAD_{name.upper()}" for name in Settings.model_fields}
    used = set(re.findall(r"\bSTEPAHEAD_[A-Z_]+", DOCKERFILE))
    for service in compose["services"].values():
        used |= {name for name in service.get("environment", {}) if name.startswith("STEPAHEAD_")}
    assert used <= known


def test_any_password_of_the_database_is_passed_on_as_it_is(compose: dict[str, Any]) -> None:
    services = compose["services"]
    password = services["postgres"]["environment"]["POSTGRES_PASSWORD"]
    connecting = [each for each in services.values() if "STEPAHEAD_DATABASE_URL" in str(each)]
    assert len(connecting) == 4
    for service in connecting:
        assert "$" not in service["environment"]["STEPAHEAD_DATABASE_URL"]
        assert service["environment"]["PGPASSWORD"] == password


def test_compose_starts_in_order_and_behind_the_proxy(compose: dict[str, Any]) -> None:
    services = compose["services"]
    apis = [name for name, each in services.items() if each.get("image") == "stepahead-api"]
    apis.remove("migrate")
    assert len(apis) == 2
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name in [*apis, "worker"]:
        condition = services[name]["depends_on"]["migrate"]["condition"]
        assert condition == "service_completed_successfully"
        assert services[name]["environment"]["STEPAHEAD_DATABASE_URL"].startswith("postgresql://")
    proxied = (PROJECT_DIR / "docker" / "Caddyfile").read_text(encoding="utf-8")
    for name in apis:
        assert f"{name}:8000" in proxied
        assert services["proxy"]["depends_on"][name]["condition"] == "service_healthy"
    published = {name for name, each in services.items() if each.get("ports")}
    assert published == {"proxy"}
    assert services["proxy"]["ports"][0].startswith("127.0.0.1:")
    # Without a key the proxy refuses foreign host names, because the apis behind it cannot see
    # them.
    assert services["proxy"]["environment"] == {"STEPAHEAD_API_KEY": "${STEPAHEAD_API_KEY:-}"}
    assert 'expression {env.STEPAHEAD_API_KEY} == ""' in proxied


def test_volumes_and_mounted_files_exist(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (PROJECT_DIR / source).is_file()
            else:
                assert source in compose["volumes"]


def test_the_health_checks_are_programs_that_compile() -> None:
    programs = re.findall(r'^    CMD \["python", "-c", "(.+)"\]$', DOCKERFILE, re.MULTILINE)
    assert len(programs) == 2
    for program in programs:
        compile(program, "HEALTHCHECK", "exec")
    worker, api = programs
    assert ":8000/readyz" in api
    assert ":8001/readyz" in worker
    assert "ENV STEPAHEAD_WORKER_PORT=8001" in DOCKERFILE


@pytest.mark.slow
def test_what_is_copied_is_enough_to_build_and_run(tmp_path: Path) -> None:
    """Run the build's own commands in a clean directory that contains only what COPY takes."""
    source = tmp_path / "src"
    for name in copied():
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        original = PROJECT_DIR / name
        (shutil.copytree if original.is_dir() else shutil.copy)(original, target)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [
            *pip,
            "wheel",
            "--no-build-isolation",
            "--no-deps",
            "--wheel-dir",
            str(tmp_path),
            str(source),
        ],
        check=True,
    )
    (wheel,) = tmp_path.glob("stepahead-*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    script = (
        "from app.config import shipped_dir; from app.storage.migrate import head_revision; "
        "print(shipped_dir('migrations'), shipped_dir('models'), head_revision())"
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert told[0].startswith(str(installed))
    assert told[1].startswith(str(installed))
    assert told[2] != "None"
