"""What the preflight report says of columns, rows and series."""

from typing import Literal

import numpy as np

from app.reading.columns.column_types import ReadColumn
from app.reading.content import SeriesContent
from app.reading.report import LISTED, ColumnReport, Report, SeriesReport
from app.reading.series.rows import SeriesRows
from app.reading.series.series_column import FoundLabels
from app.reading.table.table import Table

RowOrder = Literal["oldest first", "newest first", "shuffled"]


def report_columns(columns: list[ReadColumn], labels: FoundLabels, report: Report) -> None:
    """Lists the columns; the first of numbers is suggested as the target."""
    for column in columns:
        kind = "label" if column.name in labels.columns else column.type
        entry = ColumnReport(
            name=column.name,
            type=kind,
            used=kind == "number",
            missing=column.missing,
            unit=", ".join(column.units) or None,
            note="; ".join(column.notes) or None,
        )
        if column.numbers is not None and kind == "number":
            entry.minimum = float(np.nanmin(column.numbers))
            entry.maximum = float(np.nanmax(column.numbers))
        report.columns.append(entry)


def narrow_columns(content: SeriesContent, report: Report) -> None:
    """Takes ranges and missing values from the rows that are used: a line of totals is none."""
    for entry in report.columns:
        if entry.used:
            values = content.column(entry.name)
            known = values[np.isfinite(values)]
            entry.missing = len(values) - len(known)
            entry.minimum = float(known.min()) if len(known) else None
            entry.maximum = float(known.max()) if len(known) else None


def report_series(content: SeriesContent, report: Report) -> None:
    """Lists the series with their ends."""
    ends = np.searchsorted(content.series, np.arange(len(content.labels)), side="right")
    starts = np.concatenate([[0], ends[:-1]])
    report.series_count = len(content.labels)
    for place, label in enumerate(content.labels[:LISTED]):
        first, last = int(starts[place]), int(ends[place]) - 1
        report.series.append(
            SeriesReport(
                label=label,
                rows=last - first + 1,
                start=content.time_iso(first),
                end=content.time_iso(last),
            )
        )
    if content.times is not None:
        instants = content.instants()
        report.start = content.time_iso(int(np.argmin(instants)))
        report.end = content.time_iso(int(np.argmax(instants)))


def warn_decimal(table: Table, report: Report) -> None:
    """Says so where the numbers could be read with the other decimal sign as well."""
    if table.decimal_open is None:
        return
    other = "," if table.decimal == "." else "."
    report.warnings.insert(
        0,
        f"Numbers such as {table.decimal_open} could as well be read with {other!r} as the decimal "
        f"sign; {table.decimal!r} was taken ({table.decimal_reason}). "
        'Set "decimal" in `read` to settle it.',
    )


def warn_bad_cells(table: Table, used: list[ReadColumn], rows: SeriesRows, report: Report) -> None:
    """Names cells of used rows that are no number and count as missing."""
    kept = set(rows.numbers.tolist()) if any(column.bad for column in used) else set()
    for column in used:
        places = [place for place in column.bad if int(table.rows[place]) in kept]
        if places:
            cell = column.source.texts()[places[0]]
            numbers = ", ".join(str(table.rows[place]) for place in places[:LISTED])
            report.warnings.append(
                f"Column {column.name!r} has {len(places)} cells that are no number and count as "
                f"missing, such as {str(cell)[:40]!r} (rows {numbers})."
            )


def warn_units(used: list[ReadColumn], report: Report) -> None:
    """Says so where the numbers of a column have different units beside them."""
    for column in used:
        if len(column.units) > 1:
            report.warnings.append(
                f"Column {column.name!r} has numbers in {' and in '.join(column.units)}; they were "
                "read as if these were one. Write them all in the same unit."
            )


def row_order(rows: SeriesRows) -> RowOrder:
    """How the rows of each series stand in the file."""
    grouped = np.argsort(rows.series, kind="stable")
    steps = np.diff(rows.instants[grouped])[np.diff(rows.series[grouped]) == 0]
    if bool((steps >= 0).all()):
        return "oldest first"
    return "newest first" if bool((steps <= 0).all()) else "shuffled"
