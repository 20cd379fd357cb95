"""A file that is a pipe: `-` for standard input, or what a shell puts in a file's place."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer


def file_or_pipe(text: str) -> Path:
    """Return what was typed for a file, if there is one.

    Raises:
        BadParameter: there is none, or none that may be read.
    """
    path = Path("/dev/stdin" if text == "-" else text)
    if not os.access(path, os.R_OK):
        raise typer.BadParameter(f"there is no file {text!r} that may be read")
    if path.is_dir():
        raise typer.BadParameter(f"{text!r} is a directory, and not a file")
    return path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """The file itself; of a pipe, which is read but once and tells no size, a copy named `-`."""
    if path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="stepahead-piped-") as folder:
        copy = Path(folder) / "-"
        with path.open("rb") as pipe, copy.open("wb") as file:
            shutil.copyfileobj(pipe, file)
        yield copy
