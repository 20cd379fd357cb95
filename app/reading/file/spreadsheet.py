"""Spreadsheets (.xlsx, .xls, .ods) as tables."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import python_calamine

from app.errors import FieldError
from app.reading.columns.cell_types import majority
from app.reading.columns.numbers import Decimal, DecimalEvidence
from app.reading.read_options import ReadOptions
from app.reading.report import FileProblem, Report
from app.reading.table.cell_table import table_of_cells
from app.reading.table.delimiter import Record
from app.reading.table.table import Table

_EVIDENCE_ROWS = 2_000  # spread over the sheet


def read_spreadsheet(path: Path, options: ReadOptions, report: Report) -> Table:
    """Reads the sheet that the user named, or the first that holds a table.

    Raises:
        FileProblem: it is broken, or has no such sheet, or none with a table.
    """
    try:
        with python_calamine.CalamineWorkbook.from_path(path) as book:
            names = book.sheet_names
            if options.sheet is not None and options.sheet not in names:
                message = f"there is no sheet {options.sheet!r}; there are {', '.join(names)}"
                raise FileProblem(message, FieldError(field="read.sheet", message=message))
            for name in names if options.sheet is None else [options.sheet]:
                cells = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
                sign, reason, left_open = _decimal(cells, options.decimal)
                records = _records(cells, sign)
                found = table_of_cells(records, options)
                if found is not None:
                    table, dialect = found
                    table = replace(
                        table, decimal=sign, decimal_reason=reason, decimal_open=left_open
                    )
                    report.sheet = name
                    report.header_row = dialect.header_row
                    report.header_reason = dialect.header_reason
                    if len(names) > 1 and options.sheet is None:
                        report.warnings.append(
                            f"Of the sheets {', '.join(names)} the first with a table was read: "
                            f'{name}. Set "sheet" in `read` for another.'
                        )
                    return table
    except (python_calamine.CalamineError, OSError) as error:
        raise FileProblem(f"the spreadsheet cannot be opened: {error}") from error
    raise FileProblem("no sheet holds a table")


def _decimal(
    cells: Sequence[Sequence[object]], told: Decimal | None
) -> tuple[Decimal, str, str | None]:
    """The decimal sign of numbers that are written as text, why, and what leaves it open."""
    evidence = DecimalEvidence()
    for column in zip(*cells[:: max(len(cells) // _EVIDENCE_ROWS, 1)], strict=True):
        texts = [cell for cell in column if isinstance(cell, str)]
        if majority(texts) == "number":
            for cell in texts:
                evidence.add(cell)
    if told is None and evidence == DecimalEvidence():
        return ".", "numbers are typed", None
    return evidence.decide(told, semicolons=False)


def _records(cells: Sequence[Sequence[object]], decimal: Decimal) -> list[Record]:
    """The rows as text; days are written with a time where one of their column has one."""
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
        if cell.is_integer() and abs(cell) < 1e15:  # whole numbers a float holds exactly
            return str(int(cell))
        return repr(cell).replace(".", decimal)
    if isinstance(cell, dt.date):
        # Midnight comes as a date.
        time = cell if isinstance(cell, dt.datetime) else dt.datetime.combine(cell, dt.time())
        return time.isoformat(sep=" ") if timed else time.date().isoformat()
    if isinstance(cell, dt.time):
        return cell.isoformat()
    return "" if cell is None else str(cell)
