"""The details of the preflight report: how each part was detected, and what is unusual."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.terminal.rendering.figures import number
from app.terminal.rendering.preflight import ROWS_NAMED, Json


def show_details(console: Console, report: Json) -> None:
    """Show what `show_report` leaves out."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="dim")
    for told in (_found(report), _columns(report), _rows(report)):
        for label, sentence in told:
            table.add_row(label, Text(sentence))
    console.print(table)


def _found(report: Json) -> Iterator[tuple[str, str]]:
    """Yield the decisions that are sure, a short line each; the doubtful ones are warnings."""
    if report["compression"]:
        yield "packed", report["compression"]
    for decision in report["decisions"]:
        if decision["certainty"] != "doubtful":
            yield decision["about"].replace("_", " "), f"{decision['chosen']}: {decision['reason']}"
    if report["order"]:
        yield "order", f"{report['order']} in the file"


def _columns(report: Json) -> Iterator[tuple[str, str]]:
    unused = [column for column in report["columns"] if not column["used"]]
    if unused:
        yield "not used", ", ".join(f"{column['name']} ({column['type']})" for column in unused)
    cells = report["cells"]
    if cells:
        left = [f"{group['cells']:,} left out: {group['reason']}" for group in cells["left_out"]]
        yield "cells", "; ".join([f"{cells['used']:,} used of {cells['in_file']:,}", *left])
    for column in report["columns"]:
        told = [column["note"]] if column["note"] else []
        told += [f"unit {column['unit']}"] if column["unit"] else []
        told += [f"{column['missing']} missing"] if column["used"] and column["missing"] else []
        if told:
            yield column["name"], "; ".join(told)


def _rows(report: Json) -> Iterator[tuple[str, str]]:
    duplicates = report["duplicates"]
    if duplicates:
        yield "duplicates", f"{duplicates['rows']} rows; {duplicates['handled']}"
    for gap in report["gaps"][:ROWS_NAMED]:
        of = f" of {gap['series']}" if gap["series"] else ""
        yield "gap", f"{gap['missing']} steps{of} between {gap['after']} and {gap['before']}"
    for outlier in report["outliers"][:ROWS_NAMED]:
        expected = number(outlier["expected"])
        told = f"{outlier['column']} {number(outlier['value'])} in row {outlier['row']}"
        yield "outlier", f"{told}, expected about {expected}"
