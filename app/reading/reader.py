"""Reads an uploaded file: text or series, whatever it is packed and written in.

How text is told from series: `kind` in `read` decides where it is given. Else a spreadsheet, a
Parquet file or a file that a delimiter splits into rows of equal width with a column of numbers is
a series; so is a file of one number per line. A table that has no times but a column of sentences
(labelled texts, say) is a text, as is every other file.
"""

from dataclasses import dataclass
from pathlib import Path

from app.errors import FieldError
from app.reading.columns.column_types import ReadColumn, read_columns
from app.reading.content import DatasetContent
from app.reading.file.encoding import UndecodableError
from app.reading.file.parquet import read_parquet
from app.reading.file.spreadsheet import read_spreadsheet
from app.reading.file.unpack import MAX_UNPACKED_BYTES, Source, UnpackingError, opened
from app.reading.read_options import ReadOptions
from app.reading.report import FileProblem, Report, UnreadableFile
from app.reading.series.series_reader import read_series
from app.reading.series.time_column import find_times
from app.reading.table.csv_reader import BrokenTableError, read_csv
from app.reading.table.delimiter import NO_DELIMITER
from app.reading.table.dialect import Dialect, find_dialect, read_sample
from app.reading.table.table import Table
from app.reading.table.wide_tables import (
    SERIES,
    TIME,
    columns_as_series,
    rows_as_series,
    times_in_header,
)
from app.reading.text_reader import has_sentences, read_text, read_text_column

_TABLE_SUFFIXES = {".csv", ".tsv", ".tab", ".psv"}


@dataclass(frozen=True, kw_only=True)
class ReadResult:
    """What a file says, and how it was understood."""

    content: DatasetContent
    report: Report


def read_file(
    path: Path,
    filename: str,
    options: ReadOptions,
    *,
    max_unpacked_bytes: int = MAX_UNPACKED_BYTES,
) -> ReadResult:
    """Reads a file.

    Args:
        path: where it lies; it is not changed.
        filename: what the user calls it.
        options: what the user said of it.
        max_unpacked_bytes: limit on the size of a packed file once it is unpacked.

    Raises:
        UnreadableFile: it cannot be used; it carries the report as far as the reading came.
        OSError: it cannot be read, or there is no room to unpack it.
    """
    report = Report()
    try:
        with opened(
            path, encoding=options.encoding, max_unpacked_bytes=max_unpacked_bytes
        ) as source:
            return ReadResult(content=_read(source, filename, options, report), report=report)
    except UndecodableError as error:
        where = FieldError(field="read.encoding" if options.encoding else None, message=str(error))
        raise UnreadableFile(str(error), report=report, errors=(where,)) from error
    except (UnpackingError, BrokenTableError) as error:
        where = FieldError(message=str(error))
        raise UnreadableFile(str(error), report=report, errors=(where,)) from error
    except FileProblem as error:
        raise UnreadableFile(str(error), report=report, errors=error.errors) from error


def _read(source: Source, filename: str, options: ReadOptions, report: Report) -> DatasetContent:
    if not source.size_bytes:
        raise FileProblem("the file is empty")
    report.file_format, report.compression = source.file_format, source.compression
    if source.encoding is not None:
        report.encoding = source.encoding.name
        report.encoding_reason = source.encoding.reason
    suffixes = {suffix.lower() for suffix in Path(filename).suffixes}
    plain_text = source.file_format == "text" and not suffixes & _TABLE_SUFFIXES
    if options.kind == "text" and options.text is None and plain_text:
        report.kind, report.kind_reason = "text", "as `read` says"
        return read_text(source.path, report)
    table = _table(source, options, report)
    if table is None:
        if options.kind == "series":
            raise FileProblem(
                "the file is no table: no delimiter splits its lines into cells of numbers"
            )
        if suffixes & _TABLE_SUFFIXES and _lines(source.path) == 1:
            raise FileProblem("the file has one line: a header without rows, or a single row")
        report.kind, report.kind_reason = "text", "it is no table of numbers"
        return read_text(source.path, report)
    return _as_kind(source, table, options, report, named_table=bool(suffixes & _TABLE_SUFFIXES))


def _as_kind(
    source: Source, table: Table, options: ReadOptions, report: Report, *, named_table: bool
) -> DatasetContent:
    """Reads a table as what it is, or as what the user says."""
    columns = read_columns(table)
    if options.kind == "text" or (options.text is not None and options.kind is None):
        report.kind, report.kind_reason = "text", "as `read` says"
        return read_text_column(table, columns, options, report)
    if options.kind == "series":
        report.kind, report.kind_reason = "series", "as `read` says"
        return _series(table, columns, options, report)
    numeric = any(column.type == "number" for column in columns)
    dated = any(column.type == "date" for column in columns)
    sentences = has_sentences(columns)
    if numeric and (dated or not sentences):
        report.kind, report.kind_reason = "series", "it is a table with a column of numbers"
        return _series(table, columns, options, report)
    if not sentences and (dated or numeric or source.encoding is None):
        report.kind, report.kind_reason = "series", "it is a table"
        return _series(table, columns, options, report)
    report.kind = "text"
    if not numeric and not named_table and source.encoding is not None:
        report.kind_reason = "none of its lines hold numbers"
        return read_text(source.path, report)
    report.kind_reason = "it is a table without times, with a column of sentences"
    if numeric:
        report.warnings.append(
            'There are numbers in it too: to read it as series, set "kind" in `read` to series.'
        )
    return read_text_column(table, columns, options, report)


def _series(
    table: Table, columns: list[ReadColumn], options: ReadOptions, report: Report
) -> DatasetContent:
    """Reads a table as series, made long first where it is wide."""
    report.layout = options.layout
    told = options.layout == "series_per_row"
    places = times_in_header(columns, told=told) if told or options.layout is None else []
    if told and not places:
        raise FileProblem(
            "the header holds no times, which it would with a series in each row",
            FieldError(field="read.layout", message="the header holds no times"),
        )
    if places:
        report.layout = "series_per_row"
        long = rows_as_series(table, columns, places)
        labels = SERIES if long.column(SERIES) is not None else ""
        found_so = options.model_copy(update={"series": labels, "date": TIME})
        return read_series(long, read_columns(long), found_so, report)
    if options.layout == "series_per_column":
        found = find_times(columns, table.rows, options, european=report.delimiter == ";")
        times = () if found is None else found.columns
        long = columns_as_series(table, columns, times)
        # Where they are several, with a time of day or as year and month, they are found again.
        date = "" if not times else times[0] if len(times) == 1 else None
        found_so = options.model_copy(update={"series": SERIES, "date": date})
        return read_series(long, read_columns(long), found_so, report)
    report.layout = "table"
    return read_series(table, columns, options, report)


def _table(source: Source, options: ReadOptions, report: Report) -> Table | None:
    if source.file_format == "spreadsheet":
        return read_spreadsheet(source.path, options, report)
    if source.file_format == "parquet":
        return read_parquet(source.path)
    dialect = find_dialect(read_sample(source.path), options)
    if dialect is None:
        return None
    _report_dialect(dialect, report)
    return read_csv(source.path, dialect, decimal=options.decimal)


def _lines(path: Path) -> int:
    return sum(1 for line in read_sample(path).splitlines() if line.strip())


def _report_dialect(dialect: Dialect, report: Report) -> None:
    report.delimiter = None if dialect.delimiter == NO_DELIMITER else dialect.delimiter
    report.delimiter_reason = dialect.delimiter_reason
    report.header_row, report.header_reason = dialect.header_row, dialect.header_reason
    others = " or ".join(repr(sign) for sign in dialect.equally_good if sign != NO_DELIMITER)
    if NO_DELIMITER in dialect.equally_good:
        report.warnings.append(
            "Each line could as well be one number with a decimal comma; the lines were split into "
            'two columns. Set "decimal" or "delimiter" in `read` to settle it.'
        )
    if others:
        report.warnings.append(
            f"The cells could as well be split at {others}; they were split at "
            f'{dialect.delimiter!r}. Set "delimiter" in `read` to settle it.'
        )
