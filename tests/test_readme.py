"""The README's commands are run, and what it shows is what comes out."""

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any

import pytest

from app.cli import cli
from app.config import PROJECT_DIR, Settings
from app.main import create_app
from app.recipes.presets import PRESETS
from tests.serving import Served

README = (PROJECT_DIR / "README.md").read_text(encoding="utf-8")
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, kw_only=True)
class Example:
    """A command and what the README shows of its output."""

    command: str
    output: str


def examples() -> list[Example]:
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append(Example(command=command, output=output))
    return found


@pytest.fixture
def service(whole_service: Served) -> Served:
    return whole_service


@pytest.mark.slow
def test_the_commands_do_what_is_shown(service: Served, tmp_path: Path) -> None:
    shown = examples()
    assert [example.command.split()[0] for example in shown] == [
        "curl",
        "curl",
        ".venv/bin/stepahead",
        ".venv/bin/stepahead",
    ]
    for example in shown:
        compare(run(example.command, service.url, tmp_path), example.output)


@pytest.mark.slow
def test_a_training_in_one_call_is_accepted(service: Served, tmp_path: Path) -> None:
    run(".venv/bin/stepahead sample seattle-weather > weather.csv", service.url, tmp_path)
    (command,) = re.findall(
        r"^curl -s \S+/models/weather/train .*?[^\\]$", README, re.MULTILINE | re.DOTALL
    )
    job = json.loads(run(command, service.url, tmp_path))
    assert job["status"] == "queued"
    assert job["target"] == "temp_min"
    assert job["recipe"]["epochs"] == 30


def run(command: str, url: str, folder: Path) -> str:
    """The output of a command as a user types it, here with another URL."""
    command = command.replace("http://127.0.0.1:8000", url)
    command = command.replace(".venv/bin/stepahead", f"{shlex.quote(sys.executable)} -m app.cli")
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env={**os.environ, "STEPAHEAD_URL": url, "COLUMNS": "96"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def compare(output: str, shown: str) -> None:
    """The same, ids and the last digits of figures aside."""
    if shown.startswith("{"):
        compare_json(json.loads(output), json.loads(shown))
        return
    assert without_figures(output) == without_figures(shown)


def compare_json(value: Any, shown: Any) -> None:  # noqa: ANN401 (JSON)
    if isinstance(shown, dict):
        assert list(value) == list(shown)
        for name in shown:
            if name != "id":
                compare_json(value[name], shown[name])
    elif isinstance(shown, list):
        assert len(value) == len(shown)
        for one, other in zip(value, shown, strict=True):
            compare_json(one, other)
    elif isinstance(shown, float):
        # Other processors round otherwise, in the recurrent nodes' single precision.
        assert value == pytest.approx(shown, rel=1e-3, abs=1e-6)
    else:
        assert value == shown


def without_figures(text: str) -> list[str]:
    """The lines that say something, numbers and ids made alike: training rounds as it likes."""
    alike = NUMBER.sub("#", ID.sub("ID", text)).replace("p < #", "p = #")
    lines = [line.split() for line in alike.splitlines()]
    return [" ".join(words) for words in lines if words]


def table_under(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, its head left out."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    below = dropwhile(lambda line: not line.startswith("|"), section.splitlines())
    rows = list(takewhile(lambda line: line.startswith("|"), below))
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_the_settings_are_all_there_with_their_defaults() -> None:
    shown = {row[0].strip("`"): row[1].strip("`") for row in table_under("Settings")}
    expected = {
        f"STEPAHEAD_{name.upper()}": "unset" if field.default is None else str(field.default)
        for name, field in Settings.model_fields.items()
    }
    assert {name: value.lower() for name, value in expected.items()} == shown


def test_the_calls_are_those_of_the_api() -> None:
    shown = {call for row in table_under("API") for call in re.findall(r"`([A-Z]+ \S+)`", row[0])}
    app = create_app(Settings(), database_url="postgresql://nobody@127.0.0.1:9/none")
    served_calls = {
        f"{method.upper()} {path}"
        for path, operations in app.openapi()["paths"].items()
        for method in operations
    }
    assert shown == served_calls


def test_the_presets_are_those_there_are() -> None:
    shown = {(row[0].strip("`"), row[1]) for row in table_under("Recipes")}
    assert shown == {(preset.name, preset.kind) for preset in PRESETS}


def test_the_commands_and_options_that_are_named_exist() -> None:
    commands = {info.callback.__name__ for info in cli.registered_commands if info.callback}
    blocks = re.findall(r"^```(?:sh|console)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"\bstepahead ([a-z]+)\b", "\n".join(blocks)))
    assert named <= commands
    makefile = (PROJECT_DIR / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"^make ([a-z]+)", "\n".join(blocks), re.MULTILINE)) <= targets
