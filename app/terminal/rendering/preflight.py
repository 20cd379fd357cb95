"""The preflight report in a few lines, doubts first."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.terminal.rendering.figures import number

Json = dict[str, Any]  # as in stepahead.connection, which loads httpx: `--help` does not need it

ROWS_NAMED = 5
SERIES_NAMED = 8


def show_report(console: Console, report: Json) -> None:
    """Show how a file was understood, beginning with its warnings."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="dim")
    doubts = sum(entry["certainty"] == "doubtful" for entry in report.get("decisions") or [])
    for place, warning in enumerate(report.get("warnings") or []):
        label = "doubtful" if place < doubts else "check"
        table.add_row(Text(label, style="bold yellow"), Text(warning.removeprefix("Doubtful ")))
    for label, told in understood(report):
        table.add_row(label, Text(told))
    console.print(table)


def understood(report: Json) -> Iterator[tuple[str, str]]:
    """Yield label and text for each line of the report."""
    if report.get("text"):
        text = report["text"]
        yield "text", f"{text['words']:,} words on {text['lines']:,} lines"
        return
    if report["rows_in_file"]:
        yield "rows", _rows_text(report)
    if report.get("start"):
        step = " ".join(filter(None, [report.get("frequency"), report.get("calendar")]))
        frequency = f", {step}" if step else ""
        yield "time", f"{report['start']} to {report['end']}{frequency}"
    date = report.get("date")
    if date:
        forms = ", ".join(form["format"] for form in date["formats"])
        yield "dates", f"column {', '.join(date['columns'])}, written {forms}"
    if report.get("series_count", 0) > 1:
        by = ", ".join(report["series_columns"])
        names = [series["label"] for series in report["series"][:SERIES_NAMED]]
        more = ", …" if report["series_count"] > len(names) else ""
        told = f"{report['series_count']} of them{f', by {by}' if by else ''}"
        yield "series", f"{told}: {', '.join(names)}{more}"
    numbers = [column for column in report.get("columns", []) if column["used"]]
    if numbers:
        yield "columns", ", ".join(_column_text(column) for column in numbers)
    if report.get("target"):
        others = report.get("target_alternatives") or []
        choice = f" (--target also takes {', '.join(others)})" if others else ""
        yield "target", f"{report['target']} by default{choice}"


def _rows_text(report: Json) -> str:
    told = f"{report['rows_used']:,} used of {report['rows_in_file']:,}"
    for left_out in report.get("rows_left_out") or []:
        numbers = ", ".join(str(row) for row in left_out["numbers"][:ROWS_NAMED])
        more = ", …" if left_out["rows"] > ROWS_NAMED else ""
        told += f"; {left_out['rows']} left out: {left_out['reason']} (row {numbers}{more})"
    if report.get("gap_count"):
        told += f"; steps without a row: {report['gap_count']}"
    return told


def _column_text(column: Json) -> str:
    told = [column["role"]] if column.get("role") == "known ahead" else []
    if column["minimum"] is not None:
        told.insert(0, f"{number(column['minimum'])} to {number(column['maximum'])}")
    return f"{column['name']} ({', '.join(told)})" if told else str(column["name"])
