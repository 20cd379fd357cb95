"""Read spreadsheets (.xlsx, .xls, .ods) as tables."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import python_calamine

from app.reading.columns.cell_types import cell_kind, majority
from app.reading.columns.decimal_sign import DecimalEvidence
from app.reading.columns.numbers import Decimal
from app.reading.decisions import Candidate, Decision, settled, weigh
from app.reading.read_options import ReadOptions
from app.reading.report import FileProblem, Report
from app.reading.table.delimiter import SAMPLE_RECORDS, Record, Split
from app.reading.table.dialect import Dialect, dialect_of
from app.reading.table.table import SAMPLE_CELLS, Column, Table

_EVIDENCE_ROWS = 2_000  # spread over the sheet
_WHOLE = 1e15  # below it a float represents every whole number
Cells = Sequence[Sequence[object]]


def read_spreadsheet(path: Path, options: ReadOptions, report: Report) -> Table:
    """Read the sheet that `read` names, or the one with the most numbers.

    Raises:
        FileProblem: it is damaged, has no such sheet, or has no sheet with a table.
    """
    try:
        with python_calamine.CalamineWorkbook.from_path(path) as book:
            names = book.sheet_names
            if options.sheet is not None and options.sheet not in names:
                message = f"there is no sheet {options.sheet!r}; there are {', '.join(names)}"
                raise FileProblem(message, field="read.sheet")
            sheets = {
                name: book.get_sheet_by_name(name).to_python(skip_empty_area=False)
                for name in (names if options.sheet is None else [options.sheet])
            }
    except (python_calamine.CalamineError, OSError) as error:
        raise FileProblem(f"the spreadsheet cannot be opened: {error}") from error
    chosen, decision = weigh("sheet", [_candidate(name, cells) for name, cells in sheets.items()])
    if options.sheet is not None:
        decision = settled("sheet", options.sheet, "", told=True)
    cells = sheets[chosen.value]
    sign, decimal = _decimal(cells, options.decimal)
    found = _table_of_cells(_records(cells, sign), options)
    if found is None:
        raise FileProblem("no sheet holds a table")
    table, dialect = found
    report.sheet, report.header_row = chosen.value, dialect.header_row
    for entry in ([decision] if len(names) > 1 else []) + list(dialect.decisions):
        report.decide(entry)
    return replace(table, decimal=sign, decisions=(decimal,))


def _table_of_cells(
    records: Sequence[Record], options: ReadOptions
) -> tuple[Table, Dialect] | None:
    """Build a table from rows of cells; None if there are none.

    Args:
        records: the rows as text.
        options: how to read the file.
    """
    width = max((len(record) for record in records), default=0)
    filled = [
        (place, record)
        for place, record in enumerate(records)
        if any(cell.strip() for cell in record)
    ]
    if not filled:
        return None
    places, sample = zip(*filled[:SAMPLE_RECORDS], strict=True)
    split = Split(
        delimiter=",",
        records=list(sample),
        places=list(places),
        width=width,
        consistent=1.0,
        clean=1.0,
    )
    dialect = dialect_of(split, None, told=options.header)
    if dialect is None:
        return None
    body = records[dialect.skip :]
    columns = []
    for place, name in enumerate(dialect.names):
        cells = np.array(
            [record[place] if len(record) > place and record[place] else None for record in body],
            dtype=object,
        )
        written = tuple(dialect.column(place)[:SAMPLE_CELLS])
        columns.append(Column(name=name, cells=cells, sample=written))
    rows = np.arange(dialect.skip + 1, dialect.skip + 1 + len(body), dtype=np.int64)
    return Table(columns=tuple(columns), rows=rows), dialect


def _candidate(name: str, cells: Cells) -> Candidate[str]:
    """Return a sheet as a candidate, scored by the share of its rows with numbers."""
    sample = cells[:: max(len(cells) // _EVIDENCE_ROWS, 1)]
    rows = [row for row in sample if sum(_is_number(cell) for cell in row)]
    share = len(rows) / max(len(sample), 1)
    points = (2.0 * share + min(len(cells) * share, 1000) / 200) if rows else -1.0
    reason = f"about {share * len(cells):.0f} of its {len(cells)} rows hold numbers"
    return Candidate(name, name, {"sheet": name}, [(points, reason)])


def _is_number(cell: object) -> bool:
    if isinstance(cell, str):
        return cell_kind(cell) == "number"
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _decimal(cells: Cells, told: Decimal | None) -> tuple[Decimal, Decision]:
    """Return the decimal sign of numbers that are written as text."""
    found = DecimalEvidence()
    step = max(len(cells) // _EVIDENCE_ROWS, 1)
    for place, column in enumerate(zip(*cells[::step], strict=True)):
        texts = [(row * step + 1, cell) for row, cell in enumerate(column) if isinstance(cell, str)]
        if majority([cell for _, cell in texts]) == "number":
            found.add_column(f"column {place + 1}", texts)
    if told is None and found.is_empty:
        return ".", settled("decimal", ".", "numbers are typed")
    return found.decide(told, semicolons=False)


def _records(cells: Cells, decimal: Decimal) -> list[Record]:
    """Return the rows as text; days get a time if another cell in their column has one."""
    timed = {
        place
        for row in cells
        for place, cell in enumerate(row)
        if isinstance(cell, dt.datetime) and cell.time() != dt.time()
    }
    return [
        [_text(cell, decimal, timed=place in timed) for place, cell in enumerate(row)]
        for row in cells
    ]


def _text(cell: object, decimal: Decimal, *, timed: bool) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        if cell.is_integer() and abs(cell) < _WHOLE:
            return str(int(cell))
        return repr(cell).replace(".", decimal)
    if isinstance(cell, dt.date):
        # Midnight is read as a date.
        time = cell if isinstance(cell, dt.datetime) else dt.datetime.combine(cell, dt.time())
        return time.isoformat(sep=" ") if timed else time.date().isoformat()
    if isinstance(cell, dt.time):
        return cell.isoformat()
    return "" if cell is None else str(cell)
