"""`stepahead predictions`: list the log, or export it to a file."""

import json
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.terminal.client import Service, place, short
from app.terminal.rendering.figures import ago
from app.terminal.rendering.problems import CommandError
from app.terminal.rendering.tables import clipped, plain_table
from stepahead.connection import Json

FORMATS = {".csv": "csv", ".parquet": "parquet"}
LONGEST_MODEL = 24
LONGEST_ANSWER = 34  # characters shown


@dataclass(frozen=True, kw_only=True)
class LogOrder:
    """A filter of the log."""

    model: str | None
    key: str | None
    since: str | None
    until: str | None

    def parameters(self) -> dict[str, str]:
        """Return the filter as query parameters."""
        given = {"model": self.model, "key": self.key, "from": self.since, "to": self.until}
        return {name: value for name, value in given.items() if value is not None}


def run_predictions(
    url: str, order: LogOrder, *, export: Path | None, limit: int, as_json: bool
) -> None:
    """List the predictions, or export them."""
    console = Console(highlight=False)
    with Service(url) as service:
        if export is not None:
            _export(service, order, export)
            console.print(f"{export}: {export.stat().st_size:,} bytes")
            return
        found = service.items("/predictions", limit=limit, **order.parameters())
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    elif found:
        console.print(_table(found))
    else:
        console.print("No predictions yet.")


def show_prediction(url: str, prediction: str) -> None:
    """Print a prediction, named by its id or the end of it, as JSON."""
    with Service(url) as service:
        whole = service.whole_id("/predictions", prediction)
        found = service.get(f"/predictions/{place(whole)}")
    print(json.dumps(found, indent=2, ensure_ascii=False))


def _export(service: Service, order: LogOrder, to: Path) -> None:
    """Export the log to a temporary file and rename it when it is complete."""
    file_format = FORMATS.get(to.suffix.lower())
    if file_format is None:
        raise CommandError(f"{to}: its name must end with {' or '.join(FORMATS)}")
    partial = to.with_name(f"{to.name}.part")
    try:
        with partial.open("wb") as file:
            service.download("/predictions/export", file, format=file_format, **order.parameters())
        partial.replace(to)
    except OSError as error:
        raise CommandError(f"{to} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def _table(found: list[Json]) -> Table:
    table = plain_table("id", "answered", "model", "answer")
    for item in found:
        table.add_row(
            short(item["id"]),
            ago(item["created_at"]),
            clipped(f"{item['model']}@{item['version']}", LONGEST_MODEL),
            Text(_answer(item["response"])),
        )
    return table


def _answer(response: Json) -> str:
    """Return a short form of the answer."""
    if response.get("kind") == "text":
        told = str(response["text"])
        return told if len(told) <= LONGEST_ANSWER else f"…{told[1 - LONGEST_ANSWER :]}"
    values = [f"{step['value']:g}" for step in response["predictions"]]
    return ", ".join(values[:3]) + (", …" if len(values) > 3 else "")
