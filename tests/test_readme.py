"""Run the README's commands and compare their output; check that its tables are complete."""

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
import typer

from app.config import PROJECT_DIR, Settings
from app.main import create_app
from app.recipes.presets import PRESETS
from app.terminal.cli.command_line import cli
from tests.serving import Served

README = (PROJECT_DIR / "README.md").read_text(encoding="utf-8")
DOCS = PROJECT_DIR / "docs"
LEFT_OUT = "…"  # a separate line in an output that is shown in part
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, kw_only=True)
class Example:
    """A command, and the output that the README shows."""

    command: str
    output: str


def examples() -> list[Example]:
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines(keepends=True)
            command = ""
            # a quoted part may continue over several lines
            while not command or command.count("'") % 2:
                command += lines.pop(0)
            found.append(Example(command=command, output="".join(lines)))
    return found


@pytest.fixture
def service(whole_service: Served) -> Served:
    return whole_service


@pytest.mark.slow
def test_the_commands_do_what_is_shown(service: Served, tmp_path: Path) -> None:
    shown = examples()
    assert [example.command.split()[0] for example in shown] == [
        "curl",
        ".venv/bin/stepahead",
        ".venv/bin/stepahead",
        "curl",
        "curl",
    ]
    for example in shown:
        compare(run(example.command, service.url, tmp_path), example.output)


@pytest.mark.slow
def test_a_training_in_one_call_is_accepted(service: Served, tmp_path: Path) -> None:
    run(".venv/bin/stepahead sample seattle-weather > weather.csv", service.url, tmp_path)
    (command,) = re.findall(
        r"^curl -s \S+/models/weather/train .*?[^\\]$", text_of("api"), re.MULTILINE | re.DOTALL
    )
    job = json.loads(run(command, service.url, tmp_path))
    assert job["status"] == "queued"
    assert job["target"] == "temp_min"
    assert job["recipe"]["epochs"] == 30


def run(command: str, url: str, folder: Path) -> str:
    """Return the output of a command as a user types it, but with another URL."""
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
    """Compare two outputs, except for ids and the last digits of figures."""
    if shown.startswith("{"):
        compare_json(json.loads(output), json.loads(shown))
        return
    lines, expected = without_figures(output), without_figures(shown)
    if expected[-1:] == [LEFT_OUT]:
        expected.pop()
        assert len(lines) > len(expected)
        lines = lines[: len(expected)]
    assert lines == expected


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
        # Other processors round differently in the recurrent nodes' single precision.
        assert value == pytest.approx(shown, rel=1e-3, abs=1e-6)
    else:
        assert value == shown


def without_figures(text: str) -> list[str]:
    """Return the lines with numbers and ids made equal, because trainings round differently."""
    alike = NUMBER.sub("#", ID.sub("ID", text)).replace("p < #", "p = #")
    lines = [line.split() for line in alike.splitlines()]
    return [" ".join(words) for words in lines if words]


def text_of(document: str) -> str:
    return (DOCS / f"{document}.md").read_text(encoding="utf-8")


def table_in(document: str) -> list[list[str]]:
    """Return the cells of the first table in a document, without its header."""
    below = dropwhile(lambda line: not line.startswith("|"), text_of(document).splitlines())
    rows = list(takewhile(lambda line: line.startswith("|"), below))
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_it_is_read_in_a_few_minutes() -> None:
    assert README.count("\n") <= 150


def test_the_settings_are_all_there_with_their_defaults() -> None:
    shown = {row[0].strip("`"): row[1].strip("`") for row in table_in("settings")}
    expected = {
        f"STEPAHEAD_{name.upper()}": "unset" if field.default in (None, ()) else str(field.default)
        for name, field in Settings.model_fields.items()
    }
    assert {name: value.lower() for name, value in expected.items()} == shown


def test_the_calls_are_those_of_the_api() -> None:
    shown = {call for row in table_in("api") for call in re.findall(r"`([A-Z]+ \S+)`", row[0])}
    app = create_app(Settings(), database_url="postgresql://nobody@127.0.0.1:9/none")
    served_calls = {
        f"{method.upper()} {path}"
        for path, operations in app.openapi()["paths"].items()
        for method in operations
    }
    assert shown == {*served_calls, "POST /mcp"}  # which describes its own tools


def test_the_presets_are_those_there_are() -> None:
    shown = {(row[0].strip("`"), row[1]) for row in table_in("recipes")}
    assert shown == {(preset.name, preset.kind) for preset in PRESETS}


@pytest.mark.parametrize("document", ["../README", *(path.stem for path in DOCS.glob("*.md"))])
def test_the_commands_that_are_named_exist(document: str) -> None:
    group: Any = typer.main.get_command(cli)
    blocks = re.findall(
        r"^```(?:sh|console)\n(.*?)^```$", text_of(document), re.MULTILINE | re.DOTALL
    )
    called = r"(?:(?<![/\w])|(?<=venv/bin/))stepahead ([a-z-]+)"
    assert set(re.findall(called, "\n".join(blocks))) <= set(group.commands)
