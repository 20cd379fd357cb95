"""The next forecast of the series of a file that are not shown in full after a training."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.terminal.client import Service
from app.terminal.rendering.figures import number
from app.terminal.rendering.tables import plain_table
from stepahead.connection import Json

MOST = 20  # series shown


def show_others(service: Service, asked: Json, report: Json, console: Console) -> None:
    """Show a line for each other series, and say how to get all steps of all of them.

    Args:
        service: where the model is.
        asked: the request for the series that has been shown.
        report: of the dataset.
        console: to write to.
    """
    labels = [each["label"] for each in report["series"] if each["label"] != asked["series"]][:MOST]
    items = [{**asked, "series": label} for label in labels]
    answers = service.post("/predict/batch", {"items": items})["items"]
    console.print("\nThe next step of other series:", style="bold")
    console.print(others_table(labels, answers))
    command = f"stepahead predict {asked['model']} --file FILE"
    told = f"All steps of all {report['series_count']:,} series: {command}"
    console.print(told, style="dim", soft_wrap=True, markup=False)


def others_table(labels: Sequence[str], answers: Sequence[Json]) -> Table:
    """Return the first step of each answer; a series without an answer shows why."""
    table = plain_table("series", "time", "forecast", "interval", right=("forecast", "interval"))
    for label, answer in zip(labels, answers, strict=True):
        if "error" in answer:
            table.add_row(Text(label), "", "", Text(answer["error"]["detail"]))
            continue
        first = answer["predictions"][0]
        bands = first["intervals"] or []
        between = [f"{number(band['low'])} – {number(band['high'])}" for band in bands[:1]]
        table.add_row(Text(label), first["timestamp"] or "", number(first["value"]), *between)
    return table
