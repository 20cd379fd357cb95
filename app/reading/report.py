"""Define the preflight report: how a file was read, how surely, and where its cells went."""

from dataclasses import replace
from functools import partial
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.errors import FieldError, Unprocessable
from app.reading.decisions import SUBJECTS, Decision, Part

LISTED = 20  # entries of a list that are shown; the counts include all


class DateFormat(Part):
    """One of the ways in which the times are written."""

    format: str = Field(description="As written, such as m/d/yyyy.")
    rows: int
    first_row: int = Field(
        description="The row of the file in which it first occurs; the first line is 1."
    )


class DateReport(BaseModel):
    """The columns that the times come from, and how they are written."""

    model_config = ConfigDict(extra="ignore")  # stored reports may have fields that no longer exist

    columns: list[str]
    form: Literal["date", "local", "zoned", "step"] = Field(
        description="step: the column counts the rows, and there are no dates."
    )
    formats: list[DateFormat]
    date_order: Literal["ymd", "mdy", "dmy"] | None = Field(
        default=None, description="How dates such as 01/02/2017 were read, if there are any."
    )


ColumnRole = Literal["time", "series", "target", "known ahead", "input", "unused"]


class ColumnReport(Part):
    """One column of the file."""

    name: str
    type: Literal["number", "date", "time", "label", "text", "index", "empty"]
    used: bool = Field(description="Whether its numbers or words are in the dataset.")
    role: ColumnRole | None = Field(
        default=None,
        description="Suggested for a training with the suggested target. known ahead: the file "
        "continues it past the end of the target. input: it is tried, and kept if it helps. "
        "unused: `note` says why. null: a table with a series in each column or row.",
    )
    minimum: float | None = None
    maximum: float | None = None
    missing: int = 0
    unit: str | None = Field(default=None, description="A currency, percent or unit beside it.")
    note: str | None = None


class SeriesReport(Part):
    """One of the series in the file."""

    label: str
    rows: int
    start: str | None = None
    end: str | None = None


class LeftOut(Part):
    """Rows that are not in the dataset, grouped by reason."""

    reason: str
    rows: int
    numbers: list[int] = Field(description="The first of them, numbered in the file from 1.")


class CellGroup(Part):
    """Cells of the table that are not in the dataset: a column, or a reason for any column."""

    cells: int
    column: str | None = Field(default=None, description="A column that is not used.")
    reason: str | None = Field(default=None, description="Why cells of used columns are left out.")


class CellCounts(Part):
    """Where the cells below the header went: `used` and the groups add up to `in_file`."""

    in_file: int
    used: int = Field(description="Values, times and names of series.")
    left_out: list[CellGroup] = Field(default_factory=list)
    unused: list[CellGroup] = Field(default_factory=list)


class Gap(Part):
    """A stretch without rows, in a series that is otherwise regular."""

    series: str
    after: str
    before: str
    missing: int


class Duplicates(Part):
    """Rows of the same series and time."""

    rows: int
    handled: str
    numbers: list[int]


class Outlier(Part):
    """A value far from the ones around it."""

    series: str
    column: str
    row: int
    time: str | None
    value: float
    expected: float = Field(description="The mean of the values before and after it.")


class Contradiction(Part):
    """Columns that cannot all be right."""

    columns: list[str]
    rows: int
    of: int
    first: str
    last: str
    message: str


class TextReport(Part):
    """What a text amounts to."""

    characters: int
    lines: int
    words: int
    column: str | None = None


class Report(BaseModel):
    """The preflight report of a file. Rows are counted in the file; its first line is row 1."""

    model_config = ConfigDict(extra="ignore")  # stored reports may have fields that no longer exist

    warnings: list[str] = Field(
        default_factory=list,
        description="What to check: the doubtful decisions first, the most serious at the top.",
    )
    decisions: list[Decision] = Field(
        default_factory=list,
        description="What had to be decided about the file, the doubtful ones first.",
    )
    kind: Literal["series", "text"] | None = None
    file_format: Literal["text", "spreadsheet", "parquet"] | None = None
    compression: Literal["gzip", "zip"] | None = None
    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    header_row: int | None = None
    layout: Literal["table", "series_per_column", "series_per_row", "matrix"] | None = None
    date: DateReport | None = None
    frequency: str | None = None
    calendar: str | None = Field(
        default=None,
        description="Weekdays, hours or days of the month that have rows, and closed days: "
        "a market's (XNYS), a country's (DE), or dates.",
    )
    order: Literal["oldest first", "newest first", "shuffled"] | None = None
    start: str | None = None
    end: str | None = None
    columns: list[ColumnReport] = Field(default_factory=list)
    target: str | None = Field(default=None, description="Suggested: the likeliest measurement.")
    target_alternatives: list[str] = Field(default_factory=list)
    series_columns: list[str] = Field(
        default_factory=list, description="The column, or columns, that name the series."
    )
    series_count: int = 0
    series: list[SeriesReport] = Field(default_factory=list, description="The first of them.")
    rows_in_file: int = 0
    rows_used: int = 0
    rows_left_out: list[LeftOut] = Field(default_factory=list)
    cells: CellCounts | None = None
    gap_count: int = Field(default=0, description="Steps without a row.")
    gaps: list[Gap] = Field(default_factory=list, description="The longest of them.")
    gaps_handled: str | None = None
    duplicates: Duplicates | None = None
    too_short: list[str] = Field(
        default_factory=list, description="Series of fewer than 30 rows: little to learn from."
    )
    constant: list[str] = Field(default_factory=list, description="Columns that never change.")
    outlier_count: int = 0
    outliers: list[Outlier] = Field(default_factory=list, description="The most distant of them.")
    contradictions: list[Contradiction] = Field(default_factory=list)
    text: TextReport | None = None

    def decide(self, decision: Decision) -> None:
        """Add a decision; put a doubtful one among the first warnings, by its gravity."""
        order = list(SUBJECTS)

        def rank(entry: Decision) -> tuple[bool, int]:
            return entry.certainty != "doubtful", order.index(entry.about)

        if decision.certainty == "doubtful":
            before = sum(rank(entry) <= rank(decision) for entry in self.decisions)
            self.warnings.insert(before, decision.warning)
        self.decisions = sorted([*self.decisions, decision], key=rank)

    def note(self, *warnings: str) -> None:
        """Add warnings after those of doubtful decisions, without repeats."""
        self.warnings += [text for text in warnings if text not in self.warnings]

    def decision(self, about: str) -> Decision | None:
        """Return the decision about a subject."""
        return next((entry for entry in self.decisions if entry.about == about), None)


class UnreadableFile(Unprocessable):
    """A file that cannot be used; includes the report up to that point.

    Args:
        detail: what is wrong, and what would be right.
        report: what was found before.
        errors: the places.
    """

    def __init__(self, detail: str, *, report: Report, errors: tuple[FieldError, ...]) -> None:
        super().__init__(detail, errors=errors, extra={"report": report.model_dump(mode="json")})
        self.report = report

    def in_part(self, field: str) -> "UnreadableFile":
        """Return a copy for a part of a request that contains several files."""
        errors = tuple(replace(error, field=error.field or field) for error in self.errors)
        return UnreadableFile(f"{field}: {self.detail}", report=self.report, errors=errors)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the error, so that the reader process can send it."""
        whole = partial(UnreadableFile, self.detail, report=self.report, errors=self.errors)
        return whole, ()


class FileProblem(ValueError):
    """A file that a reader cannot use; `read_file` adds the report in an UnreadableFile.

    Args:
        detail: what is wrong, and what would be right.
        errors: the places; left out: the one that the other arguments name.
        field: of the request.
        row: of the file.
        column: of the file.
    """

    def __init__(
        self,
        detail: str,
        *errors: FieldError,
        field: str | None = None,
        row: int | None = None,
        column: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.errors = errors or (FieldError(message=detail, field=field, row=row, column=column),)
