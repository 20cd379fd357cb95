"""`stepahead sample`: write a real series to standard output, or list the series."""

import csv
import sys

from rich.console import Console

from app.datasets.samples import SAMPLES, UnknownSample, find_sample, rows
from app.terminal.rendering.problems import CommandError
from app.terminal.rendering.tables import plain_table


def run_sample(name: str | None) -> None:
    """Write the sample, or list all samples."""
    if name is None:
        list_samples(Console(highlight=False))
        return
    try:
        csv.writer(sys.stdout, lineterminator="\n").writerows(rows(find_sample(name)))
    except UnknownSample as error:
        raise CommandError(str(error)) from error


def list_samples(console: Console) -> None:
    """List the samples with their sources."""
    table = plain_table("name", "what it is", "columns", "source")
    for sample in SAMPLES:
        table.add_row(sample.name, sample.about, ", ".join(sample.columns), sample.source)
    console.print(table)
    console.print("stepahead sample google > google.csv", style="dim")
