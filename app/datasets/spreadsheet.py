"""Spreadsheets (.xlsx, .xls, .ods) as tables."""

import datetime as dt
from pathlib import Path

import python_calamine

from app.datasets.cell_table import table_of_cells
from app.datasets.delimiter import Record
from app.datasets.read_options import ReadOptions
from app.datasets.report import FileProblem, Report
from app.datasets.table import Table
from app.errors import FieldError


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
                records = _records(book, name)
                found = table_of_cells(records, options)
                if found is not None:
                    table, dialect = found
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


def _records(book: python_calamine.CalamineWorkbook, name: str) -> list[Record]:
    sheet = book.get_sheet_by_name(name)
    return [[_text(cell) for cell in row] for row in sheet.to_python(skip_empty_area=False)]


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)  # noqa: PLR2004  whole numbers a float holds exactly
    if isinstance(cell, dt.datetime):
        midnight = cell.time() == dt.time()
        return cell.date().isoformat() if midnight else cell.isoformat(sep=" ")
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return "" if cell is None else str(cell)
