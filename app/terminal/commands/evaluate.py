"""`stepahead evaluate`: a version's scorecard on another file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from app.terminal.client import Service
from app.terminal.commands.predict_file import version_of
from app.terminal.commands.read_flags import read_options
from app.terminal.commands.train import send
from app.terminal.rendering.scorecard import show_version


@dataclass(frozen=True, kw_only=True)
class EvaluationOrder:
    """What the user asked for."""

    model: str  # NAME, NAME@ALIAS or NAME@VERSION
    file: Path
    network: str | None
    read: Sequence[str]  # OPTION=VALUE


def run_evaluate(url: str, order: EvaluationOrder, *, as_json: bool) -> None:
    """Upload the file, evaluate the version, and show the scorecard."""
    # With --json, standard output holds nothing else.
    console = Console(stderr=as_json, highlight=False)
    read = read_options(order.read)
    fields = {"read": json.dumps(read)} if read else {}
    fields |= {} if order.network is None else {"network": order.network}
    with Service(url) as service:
        version = version_of(service, order.model)
        path = f"/models/{version['model']}/versions/{version['version']}/evaluate"
        evaluation = send(service, path, fields, order.file, console)
    if as_json:
        print(json.dumps(evaluation, indent=2, ensure_ascii=False))
        return
    console.print(
        Text(f"Version {version['version']} of {version['model']} on {order.file.name}", "bold")
    )
    show_version(console, evaluation)
