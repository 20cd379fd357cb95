"""Check that every command in docs/scaling.md exists: subcommands, options, targets, modules."""

import json
import re
import shlex
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer

from app.config import PROJECT_DIR, Settings
from app.terminal.cli.command_line import cli
from benchmarks.__main__ import BENCHMARKS

DOCUMENT = (PROJECT_DIR / "docs" / "scaling.md").read_text(encoding="utf-8")
MAKEFILE = (PROJECT_DIR / "Makefile").read_text(encoding="utf-8")
LINES = tuple(
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line
)


def words_of(line: str) -> list[str]:
    """Return the words of a command without comments and variables."""
    words = shlex.split(line, comments=True)
    while words and re.match(r"[A-Z_]+=", words[0]):
        words.pop(0)
    return words


@pytest.mark.parametrize("line", LINES)
def test_a_command_exists(line: str) -> None:
    words = words_of(line)
    checks: dict[str, Callable[[list[str]], bool]] = {
        "stepahead": is_subcommand,
        "make": is_target,
        "curl": is_operation,
        ".venv/bin/python": is_module,
        "export": lambda rest: rest[0].partition("=")[0] in settings(),
    }
    assert checks[words[0]](words[1:]), line


def is_subcommand(words: list[str]) -> bool:
    group: Any = typer.main.get_command(cli)
    parameters = group.commands[words[0]].params
    options = {name for parameter in parameters for name in parameter.opts}
    return {word for word in words if word.startswith("--")} <= options


def is_target(words: list[str]) -> bool:
    target, *arguments = words
    if arguments:
        given = shlex.split(arguments[0].removeprefix("ARGS="))
        named = {word for word in given if not word.startswith("--")}
        assert named <= set(BENCHMARKS)
    return re.search(rf"^{target}:", MAKEFILE, re.MULTILINE) is not None


def is_operation(words: list[str]) -> bool:
    address = urlsplit(next(word for word in words if word.startswith("http")))
    kept = json.loads((PROJECT_DIR / "tests" / "openapi.json").read_text(encoding="utf-8"))
    operation = kept["paths"][address.path]["get"]
    known = {parameter["name"] for parameter in operation["parameters"]}
    return {part.partition("=")[0] for part in address.query.split("&")} <= known


def is_module(words: list[str]) -> bool:
    return words[0] == "-m" and find_spec(words[1]) is not None


def settings() -> set[str]:
    return {f"STEPAHEAD_{name.upper()}" for name in Settings.model_fields}


def test_every_setting_named_exists() -> None:
    assert set(re.findall(r"STEPAHEAD_[A-Z_]+", DOCUMENT)) <= settings()


def test_every_benchmark_named_in_the_table_exists() -> None:
    table = DOCUMENT.partition("measured by |")[2].partition("\n\n")[0]
    named = set(re.findall(r"\| `(\w+)` \|$", table, re.MULTILINE))
    assert named
    assert named <= set(BENCHMARKS)
