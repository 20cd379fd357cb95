"""Read texts: a plain file, or one column of a table."""

from pathlib import Path

import numpy as np

from app.reading.arrays import Objects
from app.reading.columns.column_types import ReadColumn, ReadTable
from app.reading.content import TextContent
from app.reading.report import ColumnReport, FileProblem, Report, TextReport
from app.reading.table.table import Table

_LABEL_LENGTH = 24  # characters; cells that are longer on average are text


def read_text(path: Path, report: Report) -> TextContent:
    """Read a UTF-8 file as one text.

    Raises:
        FileProblem: it is empty.
    """
    with path.open(encoding="utf-8") as file:  # universal newlines: every line end becomes \\n
        text = file.read()
    return _content(text.removesuffix("\x1a"), None, report)


def read_text_column(table: Table, read: ReadTable, report: Report) -> TextContent:
    """Read one column of a table as text, one line per row.

    Raises:
        FileProblem: there is no such column, or it is empty.
    """
    if read.options.text is not None:
        column = read.named([read.options.text], "text")[0]
    else:
        column = max(read.columns, key=lambda entry: _mean_length(entry.source.texts()))
    report.columns = [
        ColumnReport(
            name=entry.name,
            type="text" if entry is column else entry.type,
            used=entry is column,
            missing=entry.missing,
        )
        for entry in read.columns
    ]
    cells = [cell for cell in column.source.texts() if isinstance(cell, str) and cell.strip()]
    report.rows_in_file = len(table.rows) + len(table.skipped)
    report.rows_used = len(cells)
    lines = "\n".join(cell.replace("\r\n", "\n").replace("\r", "\n") for cell in cells)
    return _content(lines, column.name, report)


def has_sentences(columns: list[ReadColumn]) -> bool:
    """Return whether a column of the table contains sentences rather than labels."""
    texts = [column for column in columns if column.type in {"text", "label"}]
    return any(_mean_length(entry.source.texts()) > _LABEL_LENGTH for entry in texts)


def _mean_length(cells: Objects) -> float:
    lengths = [len(cell) for cell in cells if isinstance(cell, str) and cell.strip()]
    return float(np.mean(lengths)) if lengths else 0.0


def _content(text: str, column: str | None, report: Report) -> TextContent:
    words = len(text.split())
    content = TextContent(text=text)
    report.text = TextReport(characters=len(text), lines=content.lines, words=words, column=column)
    if not words:
        raise FileProblem("there is no text in it")
    return content
