"""The preflight report: what a file was understood to say, and why."""

from dataclasses import replace
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.errors import FieldError, Unprocessable

LISTED = 20  # entries of a list that are shown; the counts beside it are of all


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DateFormat(_Part):
    """One of the ways in which the times are written."""

    format: str = Field(description="As written, such as m/d/yyyy.")
    rows: int
    first_row: int = Field(description="Where in the file it stands first; the first line is 1.")


class DateReport(_Part):
    """Where the times come from."""

    columns: list[str]
    form: Literal["date", "local", "zoned"]
    formats: list[DateFormat]
    date_order: Literal["ymd", "mdy", "dmy"] | None = Field(
        default=None, description="How dates such as 01/02/2017 were read, where there are any."
    )
    reason: str


class ColumnReport(_Part):
    """One column of the file."""

    name: str
    type: Literal["number", "date", "time", "label", "text", "index", "empty"]
    used: bool = Field(description="Whether its numbers are in the dataset.")
    minimum: float | None = None
    maximum: float | None = None
    missing: int = 0
    unit: str | None = Field(default=None, description="A currency, percent or unit beside it.")
    note: str | None = None


class SeriesReport(_Part):
    """One of the series in the file."""

    label: str
    rows: int
    start: str | None = None
    end: str | None = None


class LeftOut(_Part):
    """Rows that are not in the dataset, for one reason."""

    reason: str
    rows: int
    numbers: list[int] = Field(description="The first of them, as counted in the file from 1.")


class Gap(_Part):
    """A stretch without rows, in a series that is otherwise regular."""

    series: str
    after: str
    before: str
    missing: int


class Duplicates(_Part):
    """Rows of the same series and time."""

    rows: int
    handled: str
    numbers: list[int]


class Outlier(_Part):
    """A value far from the ones around it."""

    series: str
    column: str
    row: int
    time: str | None
    value: float
    expected: float = Field(description="The middle of the values around it.")


class Contradiction(_Part):
    """Columns that cannot all be right."""

    columns: list[str]
    rows: int
    of: int
    first: str
    last: str
    message: str


class TextReport(_Part):
    """What a text amounts to."""

    characters: int
    lines: int
    words: int
    column: str | None = None


class Report(_Part):
    """The preflight report of a file. Rows are counted in the file; its first line is row 1."""

    warnings: list[str] = Field(
        default_factory=list,
        description="What to look at, first of all the readings that were about equally good.",
    )
    kind: Literal["series", "text"] | None = None
    kind_reason: str = ""
    file_format: Literal["text", "spreadsheet", "parquet"] | None = None
    compression: Literal["gzip", "zip"] | None = None
    sheet: str | None = None
    encoding: str | None = None
    encoding_reason: str | None = None
    delimiter: str | None = None
    delimiter_reason: str | None = None
    decimal: str | None = None
    decimal_reason: str | None = None
    header_row: int | None = None
    header_reason: str | None = None
    layout: Literal["table", "series_per_column", "series_per_row"] | None = None
    date: DateReport | None = None
    frequency: str | None = None
    frequency_reason: str | None = None
    calendar: str | None = Field(
        default=None, description="Weekdays, hours or days of the month that have rows."
    )
    order: Literal["oldest first", "newest first", "shuffled"] | None = None
    start: str | None = None
    end: str | None = None
    columns: list[ColumnReport] = Field(default_factory=list)
    target: str | None = Field(default=None, description="Suggested: the first numeric column.")
    target_alternatives: list[str] = Field(default_factory=list)
    series_columns: list[str] = Field(
        default_factory=list, description="The column, or columns, that name the series."
    )
    series_reason: str | None = None
    series_count: int = 0
    series: list[SeriesReport] = Field(default_factory=list, description="The first of them.")
    rows_in_file: int = 0
    rows_used: int = 0
    rows_left_out: list[LeftOut] = Field(default_factory=list)
    gap_count: int = Field(default=0, description="Steps without a row.")
    gaps: list[Gap] = Field(default_factory=list, description="The longest of them.")
    gaps_handled: str | None = None
    duplicates: Duplicates | None = None
    too_short: list[str] = Field(
        default_factory=list, description="Series of fewer than 30 rows: little to learn from."
    )
    constant: list[str] = Field(default_factory=list, description="Columns that never change.")
    outlier_count: int = 0
    outliers: list[Outlier] = Field(default_factory=list, description="The farthest of them.")
    contradictions: list[Contradiction] = Field(default_factory=list)
    text: TextReport | None = None


class UnreadableFile(Unprocessable):
    """A file that cannot be used; the report says how far its reading came.

    Args:
        detail: what is wrong, and what would be right.
        report: what was understood before that.
        errors: the places.
    """

    def __init__(self, detail: str, *, report: Report, errors: tuple[FieldError, ...]) -> None:
        super().__init__(detail, errors=errors, extra={"report": report.model_dump(mode="json")})
        self.report = report

    def in_part(self, field: str) -> "UnreadableFile":
        """The same, said of a part of a request that brings more than one file."""
        errors = tuple(replace(error, field=error.field or field) for error in self.errors)
        return UnreadableFile(f"{field}: {self.detail}", report=self.report, errors=errors)

    def __reduce__(self) -> tuple[object, ...]:
        """Lets it cross from the reader process."""
        return _unreadable, (self.detail, self.report, self.errors)


def _unreadable(detail: str, report: Report, errors: tuple[FieldError, ...]) -> UnreadableFile:
    return UnreadableFile(detail, report=report, errors=errors)


class FileProblem(ValueError):
    """Raised inside the readers; `read_file` adds the report and makes it an UnreadableFile."""

    def __init__(self, detail: str, *errors: FieldError) -> None:
        super().__init__(detail)
        self.errors = errors or (FieldError(message=detail),)
