"""The details of the preflight report: how each part was detected, and what is unusual."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.terminal.rendering.figures import number
from app.terminal.rendering.preflight import ROWS_NAMED, Json

# Label on the screen, and the field of the report whose reason it explains.
FOUND = {
    "encoding": "encoding",
    "delimiter": "delimiter",
    "decimal": "decimal",
    "header": "header_row",
    "frequency": "frequency",
    "series": "series_count",
}
SIGNS = {"\t", " ", ",", ";", ".", "|"}


def show_details(console: Console, report: Json) -> None:
    """Show what `show_report` leaves out."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="dim")
    for told in (_found(report), _columns(report), _rows(report)):
        for label, sentence in told:
            table.add_row(label, Text(sentence))
    console.print(table)


def _found(report: Json) -> Iterator[tuple[str, str]]:
    yield "kind", f"{report['kind']}: {report['kind_reason']}"
    if report["compression"]:
        yield "packed", report["compression"]
    for name, place in FOUND.items():
        reason, value = report[f"{name}_reason"], report[place]
        if reason:
            what = f"row {value}" if name == "header" and value else _shown(value)
            yield name, f"{what}: {reason}"
    if report["date"]:
        yield "dates", report["date"]["reason"]
    if report["order"]:
        yield "order", f"{report['order']} in the file"


def _columns(report: Json) -> Iterator[tuple[str, str]]:
    unused = [column for column in report["columns"] if not column["used"]]
    if unused:
        yield "not used", ", ".join(f"{column['name']} ({column['type']})" for column in unused)
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


def _shown(value: object) -> str:
    if value is None:
        return "none"
    return repr(value) if value in SIGNS else str(value)
