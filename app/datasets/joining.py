"""An upload that extends a dataset: read as that one was, joined with it, and reported as a whole.

It runs in the reader, as everything does that goes through all rows.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from app.datasets import preflight
from app.datasets.content import DatasetContent, SeriesContent, content_from_bytes
from app.datasets.extending import extended
from app.datasets.frequency_finder import find_frequency
from app.datasets.read_options import ReadOptions
from app.datasets.report import ColumnReport, Report
from app.datasets.series_report import report_series
from app.datasets.series_rows import SeriesRows, find_gaps, gap_reports
from app.errors import Conflict


def join(
    last: Path, more: DatasetContent, upload: Report, options: ReadOptions
) -> tuple[SeriesContent, Report]:
    """The dataset and the upload as one, with the report of the whole.

    Args:
        last: a file with the dataset's content.
        more: what the upload holds.
        upload: its report.
        options: it was read by.

    Raises:
        Conflict: they cannot be joined; the rows that disagree are named.
    """
    before = content_from_bytes(last.read_bytes())
    if not isinstance(before, SeriesContent) or not isinstance(more, SeriesContent):
        raise Conflict("`extend` joins series by their times, and this is a text")
    whole = extended(before, more)
    if whole.times is None:  # for the types: `extended` has refused it
        raise Conflict("`extend` joins rows by their times, and there are none")
    found = find_frequency(whole.times, whole.series)
    frequency = options.frequency or found.frequency or whole.frequency
    whole = replace(whole, frequency=frequency)
    report = Report(
        kind="series",
        kind_reason=f"a dataset of {len(before)} rows, extended by {len(whole) - len(before)}",
        layout="table",
        frequency=frequency,
        frequency_reason="as `read` says" if options.frequency else found.reason,
        order="oldest first",
        date=upload.date,
        target=whole.columns[0],
        target_alternatives=list(whole.columns[1:]),
        series_columns=upload.series_columns,
        columns=_columns(whole),
        rows_in_file=len(whole),
        rows_used=len(whole),
    )
    _report_gaps(whole, report)
    report_series(whole, report)
    preflight.check(whole, np.arange(1, len(whole) + 1), report)
    return whole, report


def _columns(content: SeriesContent) -> list[ColumnReport]:
    entries = []
    for name in content.columns:
        values = content.column(name)
        known = values[np.isfinite(values)]
        entries.append(
            ColumnReport(
                name=name,
                type="number",
                used=True,
                minimum=float(known.min()) if len(known) else None,
                maximum=float(known.max()) if len(known) else None,
                missing=len(values) - len(known),
            )
        )
    return entries


def _report_gaps(content: SeriesContent, report: Report) -> None:
    if content.frequency is None:
        return
    rows = SeriesRows(
        values=content.values,
        times=content.times,
        instants=content.instants(),
        offsets=content.offsets,
        series=content.series,
        numbers=np.arange(1, len(content) + 1),
    )
    gaps = find_gaps(rows, content.frequency)
    report.gap_count = sum(missing for _, missing in gaps)
    if gaps:
        report.gaps = gap_reports(rows, gaps, content.labels, content.time_form)
        report.gaps_handled = "left as they are: the next row follows the last"
