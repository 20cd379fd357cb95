"""Read an uploaded file as text or series, whatever its packing and format.

A spreadsheet, a Parquet file, or a file that a delimiter splits into rows of equal width with a
column of numbers is a series. So is a file with one number per line. A table without times but with
a column of sentences (labelled texts, for example) is a text, as is every file that is not a table.
`kind` in `read` overrides this.
"""

from dataclasses import dataclass
from pathlib import Path

from app.reading.columns.column_types import read_columns
from app.reading.content import DatasetContent
from app.reading.decisions import Candidate, settled, weigh
from app.reading.file.parquet import read_parquet
from app.reading.file.spreadsheet import read_spreadsheet
from app.reading.file.unpack import MAX_UNPACKED_BYTES, Source, opened
from app.reading.read_options import ReadOptions
from app.reading.report import FileProblem, Report, UnreadableFile
from app.reading.series.series_reader import read_series
from app.reading.table.csv_reader import read_csv
from app.reading.table.delimiter import NO_DELIMITER
from app.reading.table.dialect import find_dialect, read_sample
from app.reading.table.table import Table
from app.reading.text_reader import has_sentences, read_text, read_text_column

_TABLE_SUFFIXES = {".csv", ".tsv", ".tab", ".psv"}


@dataclass(frozen=True, kw_only=True)
class ReadResult:
    """The content of a file, and how it was read."""

    content: DatasetContent
    report: Report


def read_file(
    path: Path,
    filename: str,
    options: ReadOptions,
    *,
    max_unpacked_bytes: int = MAX_UNPACKED_BYTES,
) -> ReadResult:
    """Read a file.

    Args:
        path: of the file, which is not changed.
        filename: the sender's name for it.
        options: how to read it.
        max_unpacked_bytes: limit on the unpacked size of a packed file.

    Raises:
        UnreadableFile: it cannot be used; contains the report so far.
        OSError: it cannot be read, or there is no room to unpack it.
    """
    report = Report()
    try:
        with opened(
            path, encoding=options.encoding, max_unpacked_bytes=max_unpacked_bytes
        ) as source:
            return ReadResult(content=_read(source, filename, options, report), report=report)
    except FileProblem as error:
        raise UnreadableFile(str(error), report=report, errors=error.errors) from error


def _read(source: Source, filename: str, options: ReadOptions, report: Report) -> DatasetContent:
    if not source.size_bytes:
        raise FileProblem("the file is empty")
    report.file_format, report.compression = source.file_format, source.compression
    if source.encoding is not None:
        report.encoding = source.encoding.name
        report.decide(source.encoding.decision)
    suffixes = {suffix.lower() for suffix in Path(filename).suffixes}
    named_table = bool(suffixes & _TABLE_SUFFIXES)
    plain = source.file_format == "text" and not named_table and options.text is None
    if options.kind == "text" and plain:
        return _as_text(source, report, "", told=True)
    table = _table(source, options, report)
    if table is not None:
        return _as_kind(source, table, options, report, named_table=named_table)
    if options.kind == "series":
        raise FileProblem(
            "the file is not a table: no delimiter splits its lines into cells of numbers"
        )
    if (
        named_table
        and sum(1 for line in read_sample(source.path).splitlines() if line.strip()) == 1
    ):
        raise FileProblem("the file has one line: a header without rows, or a single row")
    if named_table and options.kind is None:
        raise _numberless("no delimiter splits its lines into cells of numbers")
    return _as_text(source, report, "it is not a table of numbers", told=options.kind == "text")


def _as_text(source: Source, report: Report, reason: str, *, told: bool = False) -> DatasetContent:
    report.kind = "text"
    report.decide(settled("kind", "text", reason, told=told))
    return read_text(source.path, report)


def _as_kind(
    source: Source, table: Table, options: ReadOptions, report: Report, *, named_table: bool
) -> DatasetContent:
    """Read a table as series or as text, according to `read` or to its content."""
    read = read_columns(table, options, semicolons=report.delimiter == ";")
    columns = read.columns
    numeric = any(column.type == "number" for column in columns)
    dated = any(column.type == "date" for column in columns)
    sentences = has_sentences(columns)
    told = options.kind or ("text" if options.text is not None else None)
    if told is not None:
        report.kind = told
        report.decide(settled("kind", told, "", told=True))
    elif numeric and sentences and not dated:
        report.kind = "text"
        text = (1.5, "it is a table without times, with a column of sentences")
        candidates = [
            Candidate("text", "text", {"kind": "text"}, [text]),
            Candidate("series", "series", {"kind": "series"}, [(1.0, "it has numbers too")]),
        ]
        report.decide(weigh("kind", candidates)[1])
    elif numeric or dated or (not sentences and source.encoding is None):
        report.kind = "series"
        reason = "it is a table with a column of numbers" if numeric else "it is a table"
        report.decide(settled("kind", "series", reason))
    elif named_table or source.encoding is None:
        raise _numberless("none of its columns holds numbers")
    else:
        return _as_text(source, report, "none of its lines hold numbers")
    if report.kind == "series":
        return read_series(table, read, report)
    return read_text_column(table, read, report)


def _numberless(why: str) -> FileProblem:
    message = (
        f'{why}, so it cannot be read as series. Set "kind" in `read` to text if it is a text to '
        "be read word by word"
    )
    return FileProblem(message, field="read.kind")


def _table(source: Source, options: ReadOptions, report: Report) -> Table | None:
    if source.file_format == "spreadsheet":
        return read_spreadsheet(source.path, options, report)
    if source.file_format == "parquet":
        return read_parquet(source.path)
    dialect = find_dialect(read_sample(source.path), options)
    if dialect is None:
        return None
    report.delimiter = None if dialect.delimiter == NO_DELIMITER else dialect.delimiter
    report.header_row = dialect.header_row
    for decision in dialect.decisions:
        report.decide(decision)
    return read_csv(source.path, dialect, decimal=options.decimal)
