"""How a file is to be read, where the user knows better than the reader's guess."""

import json
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.reading.series.calendar import parse_calendar
from app.reading.series.frequency import FREQUENCY_PATTERN

ColumnName = Annotated[str, Field(max_length=200)]


def _calendar(text: str) -> str:
    return str(parse_calendar(text))


class ReadOptions(BaseModel):
    """The `read` object. What is left out is found out from the file, and stated in the report."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    kind: Literal["series", "text"] | None = Field(
        default=None,
        description="Numbers over time, or a text to be read word by word. Left out: a file with "
        "a table of numbers is a series, anything else a text.",
    )
    date: ColumnName | None = Field(
        default=None,
        description="The column that holds the dates or times; an empty string says that there "
        "is none and that the rows stand in order.",
    )
    date_order: Literal["ymd", "mdy", "dmy"] | None = Field(
        default=None, description="The order of year, month and day in dates such as 01/02/2017."
    )
    decimal: Literal[".", ","] | None = Field(default=None, description="The decimal sign.")
    delimiter: Literal[",", ";", "\t", "|", " "] | None = Field(
        default=None, description="The sign between cells; a blank stands for any run of blanks."
    )
    encoding: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,40}$")] | None = Field(
        default=None, description="The encoding of the file, such as utf-8, utf-16 or latin-1."
    )
    header: bool | None = Field(
        default=None, description="Whether the first line of the table holds the column names."
    )
    layout: Literal["table", "series_per_column", "series_per_row"] | None = Field(
        default=None,
        description="table: a row per time, the columns belong together. series_per_column: each "
        "column is a series of its own. series_per_row: a row per series, the times as header.",
    )
    series: ColumnName | None = Field(
        default=None,
        description="In a long file the column that names the series, or several, separated by "
        "commas; an empty string says that all rows are one series.",
    )
    sheet: ColumnName | None = Field(
        default=None, description="The sheet of a spreadsheet; left out: the first with a table."
    )
    frequency: Annotated[str, Field(pattern=FREQUENCY_PATTERN)] | None = Field(
        default=None,
        description="The step between rows: ms, s, min, h, D, B (business days), C (the weekdays "
        "of `calendar`), W, SMS, SME (half-months), MS, ME, QS, QE, YS, YE (months, quarters and "
        "years by start or end), with a count where it is not 1.",
    )
    calendar: Annotated[str, Field(max_length=200), AfterValidator(_calendar)] | None = Field(
        default=None,
        description="When there are rows, where not always: weekdays and sessions, as in Mon-Sat "
        "or Mon-Fri 09:30-16:00, or days of the month, as in 1, 16.",
    )
    duplicates: Literal["error", "last", "sum", "mean"] | None = Field(
        default=None,
        description="What to do with rows of the same time and series. Left out: rows that say "
        "the same count once, rows that differ are an error.",
    )
    gaps: Literal["error", "leave", "fill", "zero"] | None = Field(
        default=None,
        description="What to do where a regular series lacks times or values: refuse the file, "
        "leave it as it is (the default), carry the last value on, or write 0.",
    )
    text: ColumnName | None = Field(
        default=None, description="The column that holds the text, in a table that is read as text."
    )

    def canonical(self) -> str:
        """The options that are set, as JSON that is equal for equal options.

        A dataset's identity is the sha256 of the file together with this.
        """
        return json.dumps(self.model_dump(exclude_none=True), sort_keys=True, separators=(",", ":"))
