"""Check that modules, functions and folders of `app` stay small enough to read at once."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import PROJECT_DIR

APP = PROJECT_DIR / "app"
MODULES = sorted(APP.rglob("*.py"))
MOST_LINES = 400
MOST_FUNCTION_LINES = 40  # without signature and docstring
MOST_FILES = 20
FOLDERS = sorted({module.parent for module in MODULES})
# Still to be split. Remove an entry when it is split; never add one.
TOO_LONG = {
    "app/judging/text_judge.py: judge_text",
}


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT_DIR).as_posix()


def long_functions(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > MOST_FUNCTION_LINES:
                yield f"{name_of(module)}: {node.name}"


def test_no_module_and_no_function_is_longer_than_a_reader_can_follow() -> None:
    long = {name_of(path) for path in MODULES if path.read_bytes().count(b"\n") > MOST_LINES}
    long |= {function for module in MODULES for function in long_functions(module)}
    assert long == TOO_LONG


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_no_folder_holds_more_files_than_fit_on_a_screen(folder: Path) -> None:
    files = [path for path in folder.iterdir() if path.is_file() and path.name != "__init__.py"]
    assert len(files) <= MOST_FILES
