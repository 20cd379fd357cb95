"""`stepahead export` and `stepahead import`."""

import json
import re
import tarfile
from pathlib import Path

from app.terminal.client import Service, place
from app.terminal.rendering.problems import Told

VERSION = re.compile(r"(?P<model>[^@]+)@(?P<number>[0-9]+)")


def run_export(version: str, file: Path | None, *, url: str) -> None:
    """Save a version of the service as a file, which appears when it is complete."""
    named = VERSION.fullmatch(version)
    if named is None:
        raise Told(f"{version!r} is not a version: write the model and its number, as in prices@3")
    model, number = named["model"], int(named["number"])
    to = file or Path(f"{model}-{number}.tar")
    partial = to.with_name(f"{to.name}.partial")
    try:
        with Service(url) as service, partial.open("wb") as saved:
            service.download(f"/models/{place(model)}/versions/{number}/archive", saved)
        partial.replace(to)
    except OSError as error:
        raise Told(f"{to} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    print(f"{model}@{number} is in {to}. Take it in elsewhere with: stepahead import {to}")


def run_import(file: Path, model: str | None, *, url: str) -> None:
    """Send a version's file to the service and say what became of it."""
    try:
        name = model or _model_in(file)
        with Service(url) as service, file.open("rb") as sent:
            answer = service.post_form(
                f"/models/{place(name)}/versions", {}, {"file": (file.name, sent)}
            )
    except OSError as error:
        raise Told(f"{file} cannot be read: {error.strerror}") from error
    version, aliases = answer["version"], ", ".join(answer["aliases"])
    served = f"It is {aliases}." if aliases else f"It waits: {answer['decision']['reason']}."
    print(f"Imported as version {version} of {name}. {served}")


def _model_in(file: Path) -> str:
    """Return the name that a version's file gives its model."""
    try:
        with tarfile.open(file) as tar:
            first = tar.next()
            data = None if first is None else tar.extractfile(first)
            return str(json.loads(data.read(1 << 20))["model"]) if data is not None else ""
    except (tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise Told(
            f"{file} is not a version that `stepahead export` wrote; name its model with --model"
        ) from error
