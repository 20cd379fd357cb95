"""Files that are pipes: `-` for standard input, or the path that a shell substitutes."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer


def file_or_pipe(text: str) -> Path:
    """Return the path that the user typed, if the file can be read.

    Raises:
        BadParameter: it does not exist, is a folder, or cannot be read.
    """
    path = Path("/dev/stdin" if text == "-" else text)
    if not os.access(path, os.R_OK):
        raise typer.BadParameter(f"{text!r} does not exist or cannot be read")
    if path.is_dir():
        raise typer.BadParameter(f"{text!r} is a directory, not a file")
    return path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield the file itself or, for a pipe, a copy of it named `-`.

    A pipe can be read only once and does not know its size.
    """
    if path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="stepahead-piped-") as folder:
        copy = Path(folder) / "-"
        with path.open("rb") as pipe, copy.open("wb") as file:
            shutil.copyfileobj(pipe, file)
        yield copy
