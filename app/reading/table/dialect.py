"""Find the layout of the table in a text file: delimiter, header, and start of its rows."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from app.reading.columns.cell_types import CellKind, majority
from app.reading.decisions import Decision, settled
from app.reading.read_options import ReadOptions
from app.reading.report import FileProblem
from app.reading.table.delimiter import Record, Split, choose_delimiter, split_sample
from app.reading.table.header import column_kinds, column_names, first_data_row, header_row
from app.reading.table.split_numbers import check_sample

SAMPLE_CHARACTERS = 1 << 18
MAX_COLUMNS = 10_000
_EXCEL_HINT = re.compile(r"sep=.?", re.IGNORECASE)  # a first line that Excel writes and follows


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The layout of a table, as far as a sample shows it."""

    delimiter: str  # NO_DELIMITER for a single column, " " for runs of blanks
    names: tuple[str, ...]  # the header's cells, stripped; generated if there is no header
    header_row: int | None  # row in the file, from 1; None: there is no header
    skip: int  # rows of the file before the first row of data
    width: int  # number of cells in a row
    body: tuple[Record, ...]  # the sample's rows of data
    body_rows: tuple[int, ...]  # row in the file of each, from 1
    delimiter_told: bool  # named by `read`
    decisions: tuple[Decision, ...]  # about delimiter and header

    @cached_property
    def kinds(self) -> list[CellKind]:
        """Return what most of the sample's cells in each column are."""
        return [majority(self.column(place)) for place in range(self.width)]

    def column(self, place: int) -> list[str]:
        """Return the sample's cells of one column."""
        return [record[place] for record in self.body if len(record) > place]

    def numbered(self, place: int) -> list[tuple[int, str]]:
        """Return the sample's cells of one column, each with its row in the file."""
        rows = zip(self.body_rows, self.body, strict=True)
        return [(row, record[place]) for row, record in rows if len(record) > place]


def read_sample(path: Path) -> str:
    """Return the first lines of a UTF-8 text file."""
    with path.open(encoding="utf-8", newline="") as file:
        sample = file.read(SAMPLE_CHARACTERS)
    if len(sample) < SAMPLE_CHARACTERS or "\n" not in sample:
        return sample
    return sample[: sample.rindex("\n") + 1]


def find_dialect(sample: str, options: ReadOptions) -> Dialect | None:
    """Find the layout of a table in the first part of a file; None if it is not a table.

    Raises:
        FileProblem: thousands separators split its numbers, or it has an absurd number of columns.
    """
    choice = choose_delimiter(sample, options.delimiter, decimal=options.decimal)
    if options.delimiter is None and (choice is None or choice[0].delimiter == ","):
        check_sample(split_sample(sample, ","), may_be_text=choice is None)
    if choice is None or not choice[0].records:
        return None
    return dialect_of(*choice, told=options.header)


def dialect_of(split: Split, decision: Decision | None, *, told: bool | None) -> Dialect | None:
    """Find the header of a sample that is split into cells; None if there are no data rows.

    Args:
        split: the sample.
        decision: why it was split so; None: the cells come from a spreadsheet.
        told: whether there is a header, if `read` says so.

    Raises:
        FileProblem: it has an absurd number of columns.
    """
    records = [
        [] if _EXCEL_HINT.fullmatch(split.delimiter.join(record)) else record
        for record in split.records
    ]
    start, why = first_data_row(records, column_kinds(records, split.width), split)
    if told is True:
        start = max(start, 1)
    header = None if told is False else header_row(records[:start], split.width)
    body = records[start:]
    if not body:
        return None
    if split.width > MAX_COLUMNS:
        raise FileProblem(f"the table has {split.width:,} columns; up to {MAX_COLUMNS:,} are read")
    width = max(split.width, len(body[0]))  # pandas would take a longer first row for an index
    names = column_names(records[:start], header, width, body)
    row = None if header is None else split.places[header] + 1
    why = "the first row is like the others" if header is None else why
    named = settled("header", "none" if row is None else f"row {row}", why, told=told is not None)
    return Dialect(
        delimiter=split.delimiter,
        names=tuple(names),
        header_row=row,
        skip=split.places[start],
        width=width,
        body=tuple(body),
        body_rows=tuple(place + 1 for place in split.places[start:]),
        delimiter_told=decision is not None and decision.certainty == "set",
        decisions=(named,) if decision is None else (decision, named),
    )
