"""`stepahead export` and `stepahead import`."""

import json
import re
import tarfile
from pathlib import Path

from app.terminal.client import Service, place
from app.terminal.rendering.problems import CommandError

VERSION = re.compile(r"(?P<model>[^@]+)@(?P<number>[0-9]+)")


def run_export(version: str, file: Path | None, *, url: str) -> None:
    """Export a version to a temporary file and rename it when it is complete."""
    named = VERSION.fullmatch(version)
    if named is None:
        raise CommandError(
            f"{version!r} is not a version: write the model and its number, for example prices@3"
        )
    model, number = named["model"], int(named["number"])
    to = file or Path(f"{model}-{number}.tar")
    partial = to.with_name(f"{to.name}.partial")
    try:
        with Service(url) as service, partial.open("wb") as saved:
            service.download(f"/models/{place(model)}/versions/{number}/archive", saved)
        partial.replace(to)
    except OSError as error:
        raise CommandError(f"{to} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    print(f"{model}@{number} is in {to}. Import it elsewhere with: stepahead import {to}")


def run_import(file: Path, model: str | None, *, url: str) -> None:
    """Import a version from a file and show its number and alias."""
    try:
        name = model or _model_in(file)
        with Service(url) as service, file.open("rb") as sent:
            answer = service.post_form(
                f"/models/{place(name)}/versions", {}, {"file": (file.name, sent)}
            )
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from error
    version, aliases = answer["version"], ", ".join(answer["aliases"])
    served = f"It is {aliases}." if aliases else f"It waits: {answer['decision']['reason']}."
    print(f"Imported as version {version} of {name}. {served}")


def _model_in(file: Path) -> str:
    """Return the name of the model in a version's file."""
    try:
        with tarfile.open(file) as tar:
            first = tar.next()
            data = None if first is None else tar.extractfile(first)
            return str(json.loads(data.read(1 << 20))["model"]) if data is not None else ""
    except (tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"{file} was not written by `stepahead export`; name its model with --model"
        ) from error
