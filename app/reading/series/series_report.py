"""Write the preflight report about columns, cells, rows and series."""

from typing import Literal

import numpy as np

from app.reading.arrays import Floats, Ints
from app.reading.columns.column_types import ReadColumn
from app.reading.content import SeriesContent
from app.reading.decisions import count_of
from app.reading.report import LISTED, CellCounts, CellGroup, ColumnReport, Report, SeriesReport
from app.reading.series.rows import SeriesRows
from app.reading.series.usable_rows import BLANK, KEPT, UsableRows
from app.reading.series.wide_tables import Long
from app.reading.table.table import Table

RowOrder = Literal["oldest first", "newest first", "shuffled"]
_ROLES = {"time": "date", "series": "label"}


def report_columns(columns: list[ReadColumn], long: Long, report: Report) -> None:
    """List the columns of the file, and the column of values if a wide table was made long."""
    own = [] if long.layout == "table" else long.columns
    used = {id(column) for column in long.columns}
    for column in [*columns, *own]:
        is_clock = column.role == column.type == "time"
        kind = "time" if is_clock else _ROLES.get(column.role, column.type)
        report.columns.append(
            ColumnReport.model_validate(
                {
                    "name": column.name,
                    "type": kind,
                    "used": id(column) in used or column.role in {"values", "category"},
                    "missing": column.missing,
                    "unit": ", ".join(column.units) or None,
                    "note": "; ".join(column.notes) or None,
                }
            )
        )


def measured(entry: ColumnReport, values: Floats) -> ColumnReport:
    """Add the range of a column's values to its entry."""
    low, high = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
    entry.missing = int(np.isnan(values).sum())
    entry.minimum, entry.maximum = (None, None) if np.isnan(low) else (low, high)
    return entry


def note_columns(long: Long, usable: UsableRows, report: Report) -> None:
    """Add the ranges of the used rows, and odd cells of columns."""
    entries = {entry.name: entry for entry in report.columns}
    for place, column in enumerate(long.columns):
        measured(entries[column.name], usable.rows.values[:, place])
    report.note(
        *(
            f"{count_of(entry.rows, 'row is', 'rows are')} left out: {entry.reason} "
            f"(row {', '.join(map(str, entry.numbers))})."
            for entry in usable.left_out
            if entry.reason.startswith("not a number")
        )
    )
    for column in long.columns:
        report.note(*(f"Column {column.name!r} {ending}." for ending in column.warnings))
        places = [at for at in column.bad if usable.codes[at] == KEPT]
        if places:
            rows = ", ".join(str(long.rows[at]) for at in places[:LISTED])
            cell = column.text(places[0]).strip()[:40]
            cells = count_of(len(places), "cell is not a number", "cells are not numbers")
            report.note(
                f"{cells} in column {column.name!r} and read as missing, for example {cell!r} "
                f"(row {rows})."
            )


def count_cells(
    table: Table, columns: list[ReadColumn], long: Long, usable: UsableRows, report: Report
) -> CellCounts:
    """Count where the cells below the header went; the report has the missing ones by column."""
    is_kept = usable.codes == KEPT
    kept = is_kept
    if len(long.rows) != len(table.rows):
        kept = np.zeros(len(table.rows), dtype=bool)
        kept[np.searchsorted(table.rows, long.rows[is_kept])] = True
    used, values = 0, 0
    unused: list[CellGroup] = []
    for column in columns:
        if column.name in long.value_names or column.role == "category":
            values += 1
        elif column.role in {"time", "series"}:
            used += int(kept.sum())
        else:
            unused.append(CellGroup(column=column.name, cells=int(kept.sum())))
    missing = {entry.name: entry.missing for entry in report.columns}
    numbers = sum(len(usable.rows) - missing[column.name] for column in long.columns)
    numbers += sum(int(np.isfinite(places[is_kept]).sum()) for _, places in long.words)
    bad = sum(int(is_kept[column.bad].sum()) for column in long.columns)
    groups: dict[str, int] = {"not a number": bad}
    groups["no value"] = values * int(kept.sum()) - numbers - bad
    if not kept.all():
        # A row of a wide table has the reason of its first cell.
        order = np.argsort(long.rows, kind="stable")
        first = order[np.searchsorted(long.rows[order], table.rows[~kept])]
        for code, count in zip(*np.unique(usable.codes[first], return_counts=True), strict=True):
            reason = "an empty row" if code == BLANK else usable.reasons[code]
            groups[reason] = groups.get(reason, 0) + int(count) * len(columns)
    for skipped in table.skipped:
        groups[skipped.reason] = groups.get(skipped.reason, 0) + skipped.cells
    return CellCounts(
        in_file=len(table.rows) * len(columns) + sum(skipped.cells for skipped in table.skipped),
        used=used + numbers,
        left_out=[
            CellGroup(reason=reason, cells=count) for reason, count in groups.items() if count
        ],
        unused=[group for group in unused if group.cells],
    )


def report_series(content: SeriesContent, report: Report) -> None:
    """List the series with their ends."""
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


def suggest_roles(content: SeriesContent, report: Report) -> None:
    """Say of each column of a table what it is for, beside the suggested target."""
    if report.layout != "table" or report.target is None:
        return
    times = () if report.date is None else report.date.columns
    last = _last_rows(content, report.target)
    for entry in report.columns:
        entry.role = "unused"
        if entry.name in times:
            entry.role = "time"
        elif entry.name in report.series_columns:
            entry.role = "series"
        elif entry.name == report.target:
            entry.role = "target"
        elif entry.used and _varies(content.column(entry.name)):
            more = int((_last_rows(content, entry.name) - last)[last >= 0].max(initial=0))
            entry.role = "known ahead" if more > 0 else "input"
            told = f"continues {count_of(more, 'row', 'rows')} past the end of {report.target}"
            entry.note = "; ".join(filter(None, [entry.note, told if more > 0 else None])) or None
        elif entry.used:
            entry.note = "; ".join(filter(None, [entry.note, "it never changes"]))


def _last_rows(content: SeriesContent, name: str) -> Ints:
    """Return the last row with a value in each series, -1 where there is none, (series,)."""
    known = np.flatnonzero(np.isfinite(content.column(name)))
    last = np.full(len(content.labels), -1, dtype=np.int64)
    last[content.series[known]] = known  # the last assignment counts
    return last


def _varies(values: Floats) -> bool:
    return bool(np.nanmin(values) < np.nanmax(values)) if np.isfinite(values).any() else False


def row_order(rows: SeriesRows) -> RowOrder:
    """Return the order of the rows of each series in the file."""
    series, instants = rows.series, rows.instants()
    if bool((np.diff(series) < 0).any()):
        grouped = np.argsort(series, kind="stable")
        series, instants = series[grouped], instants[grouped]
    steps = np.diff(instants)[np.diff(series) == 0]
    if bool((steps >= 0).all()):
        return "oldest first"
    return "newest first" if bool((steps <= 0).all()) else "shuffled"
