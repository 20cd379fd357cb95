"""`stepahead sample`: a real series on standard output, or the list of those there are."""

import csv
import sys

from rich.console import Console
from rich.table import Table

from app.datasets.samples import SAMPLES, UnknownSample, find_sample, rows
from app.terminal.rendering.problems import Told


def run_sample(name: str | None) -> None:
    """Write the sample, or list all of them."""
    if name is None:
        list_samples(Console(highlight=False))
        return
    try:
        csv.writer(sys.stdout, lineterminator="\n").writerows(rows(find_sample(name)))
    except UnknownSample as error:
        raise Told(str(error)) from error


def list_samples(console: Console) -> None:
    """What there is."""
    table = Table("name", "what it is", "columns", "source")
    for sample in SAMPLES:
        table.add_row(sample.name, sample.about, ", ".join(sample.columns), sample.source)
    console.print(table)
    console.print("stepahead sample google > google.csv", style="dim")
